//! Plugins that keep their state in a real Redis: what one gateway has counted, another one knows.

use std::sync::mpsc;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::all::harness::{Gateway, Message, Upstream, until};
use crate::plugins::plugin_file;
use crate::redis::Redis;

const RATE_LIMIT: &str = "gpustack-rate-limit/1.0.1";
const STATISTICS: &str = "ai-statistics/2.0.0";
const LB: &str = "gpustack-lb/0.1.2";
const COMPLETION: &str = r#"{"id": "c1", "object": "chat.completion", "model": "qwen3", "choices": [{"index": 0, "message": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}], "usage": {"prompt_tokens": 5, "completion_tokens": 7, "total_tokens": 12}}"#;

/// A gateway with these filters (name, plugin, configuration) before one upstream.
fn gateway(
    filters: &[(String, &str, Value)],
    clusters: &[(String, String)],
    routes: &Value,
) -> Gateway {
    let (mut modules, mut all, mut endpoints) = (json!({}), json!({}), json!({}));
    for (name, plugin, configuration) in filters {
        modules[plugin.replace('/', "-")] = json!({ "file": plugin_file(plugin) });
        all[name] = json!({ "module": plugin.replace('/', "-"), "engine": "cranelift", "configuration": configuration });
    }
    for (name, address) in clusters {
        endpoints[name] = json!({ "endpoints": [address], "ejection": "off" });
    }
    Gateway::start(&format!(
        "workers: 1\n\
         listeners: [{{ address: \"127.0.0.1:0\", name: main, routes: {routes} }}]\n\
         clusters: {endpoints}\nmodules: {modules}\nfilters: {all}\n"
    ))
}

/// Answers everything with a completion of 12 tokens.
fn upstream() -> Upstream {
    Upstream::start(|mut wire, _| {
        while let Ok(Some(_)) = wire.try_request() {
            let length = COMPLETION.len();
            let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ";
            if wire
                .try_send(format!("{head}{length}\r\n\r\n{COMPLETION}"))
                .is_err()
            {
                return;
            }
        }
    })
}

/// The rate limiter before one upstream, with a Redis for each path.
struct Scene {
    upstream: Upstream,
    filters: Vec<(String, &'static str, Value)>,
    clusters: Vec<(String, String)>,
    routes: Vec<Value>,
}

impl Scene {
    fn new() -> Self {
        let upstream = upstream();
        let clusters = vec![("up".to_owned(), upstream.address.to_string())];
        let statistics = ("statistics".to_owned(), STATISTICS, json!({}));
        Self {
            upstream,
            filters: vec![statistics],
            clusters,
            routes: Vec::new(),
        }
    }

    /// Requests of `/NAME` are limited by this Redis, with these settings more.
    fn add(&mut self, name: &str, redis: &Redis, (limit, count): (&str, u32), more: Value) {
        let mut settings = more;
        settings["service_name"] = json!(format!("{name}.static"));
        let mut combination = json!({
            "name": "per-key",
            "match": [{ "source": "header", "name": "x-api-key", "value": "*" }],
        });
        combination[limit] = json!({ "per_custom": count, "custom_window_seconds": 3600 });
        let configuration = json!({
            "rule_name": "r1", "enable_on_path_suffix": ["*"], "show_limit_quota_header": true,
            "limit_combinations": [combination], "redis": settings,
        });
        self.filters
            .push((name.to_owned(), RATE_LIMIT, configuration));
        self.clusters
            .push((cluster_of(name), redis.address.to_string()));
        self.routes.push(json!({
            "match": { "path_prefix": format!("/{name}/") },
            "filters": [name, "statistics"], "forward": "up",
        }));
    }

    fn start(&self) -> Gateway {
        gateway(&self.filters, &self.clusters, &json!(self.routes))
    }
}

/// How Higress calls the cluster of a service of this name.
fn cluster_of(name: &str) -> String {
    format!("outbound|80||{name}.static")
}

fn ask(gateway: &Gateway, name: &str, key: &str) -> u16 {
    let path = format!("/{name}/a");
    gateway
        .get(&path, &format!("x-api-key: {key}\r\n"))
        .status()
}

#[test]
fn limits_hold_across_gateways_and_restarts() {
    let (open, closed) = (Redis::start(""), Redis::start("open sesame"));
    let (named, back) = (Redis::start(""), Redis::start(""));
    let user = ["ACL", "SETUSER", "gate", "on", ">pass", "~*", "+@all"];
    let nobody = ["ACL", "SETUSER", "default", "off"];
    assert_eq!(named.tell(&[&user, &nobody]), ["OK", "OK"]);
    let mut scene = Scene::new();
    let requests = |count| ("query_limits", count);
    scene.add("plain", &open, requests(3), json!({}));
    scene.add(
        "tokens",
        &open,
        ("token_limits", 20),
        json!({ "database": 7 }),
    );
    let settings = json!({ "password": "open sesame", "database": 3 });
    scene.add("password", &closed, requests(1), settings);
    scene.add(
        "wrong",
        &closed,
        requests(1),
        json!({ "password": "guess" }),
    );
    let settings = json!({ "username": "gate", "password": "pass" });
    scene.add("user", &named, requests(1), settings);
    scene.add("back", &back, requests(2), json!({}));
    let gateways = [scene.start(), scene.start()];
    two_gateways_count_together(&gateways, &open);
    tokens_run_out(&gateways[0], &open);
    password_and_database_reach_the_redis(&gateways[0], &closed);
    a_wrong_password_is_the_plugins_to_judge(&gateways[0]);
    assert_eq!(
        [(); 2].map(|()| ask(&gateways[0], "user", "k1")),
        [200, 429]
    );
    a_redis_that_comes_back_counts_again(&gateways[0], back);
    assert!(scene.upstream.connections() > 0);
    gateways.into_iter().for_each(Gateway::end);
}

fn two_gateways_count_together(gateways: &[Gateway; 2], redis: &Redis) {
    for turn in [0, 1, 0] {
        assert_eq!(ask(&gateways[turn], "plain", "k1"), 200);
    }
    let refusal = gateways[1].get("/plain/a", "x-api-key: k1\r\n");
    assert_eq!(refusal.status(), 429);
    let key = refusal.header("x-ratelimit-limited-key");
    assert_eq!(key, Some("r1|per-key|header:x-api-key=k1|q:3600s"));
    assert_eq!(ask(&gateways[1], "plain", "k2"), 200);
    let line = gateways[1].access("\"status\":429");
    assert_eq!(line["details"], "gpustack-rate-limit.rejected");
    assert!(redis.keys("0").contains("x-api-key=k1"));
}

/// Tokens are counted once the response is over, from what another plugin has noted.
fn tokens_run_out(gateway: &Gateway, redis: &Redis) {
    let body = r#"{"model": "qwen3", "messages": [{"role": "user", "content": "hi"}]}"#;
    let request = format!(
        "POST /tokens/v1/chat/completions HTTP/1.1\r\nhost: h\r\nx-api-key: k1\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    for spent in ["12", "24"] {
        assert_eq!(gateway.ask(&request).status(), 200);
        until("the tokens are noted", || {
            let sum = redis.tell(&[&["SELECT", "7"], &["EVAL", SUM, "0"]]);
            sum[1] == spent
        });
    }
    assert_eq!(gateway.ask(&request).status(), 429);
}

fn password_and_database_reach_the_redis(gateway: &Gateway, redis: &Redis) {
    assert_eq!([(); 2].map(|()| ask(gateway, "password", "k1")), [200, 429]);
    assert_eq!(redis.keys("0"), "");
    assert!(redis.keys("3").contains("x-api-key=k1"));
}

/// The plugin gets the Redis's own words, and lets requests pass then.
fn a_wrong_password_is_the_plugins_to_judge(gateway: &Gateway) {
    assert_eq!([(); 2].map(|()| ask(gateway, "wrong", "k1")), [200, 200]);
    gateway.logged("Redis refuses the login: -WRONGPASS");
    gateway.logged("fail-open");
}

fn a_redis_that_comes_back_counts_again(gateway: &Gateway, redis: Redis) {
    let address = redis.address;
    assert_eq!(ask(gateway, "back", "k1"), 200);
    drop(redis);
    for _ in 0..3 {
        assert_eq!(ask(gateway, "back", "k1"), 200, "it fails open");
    }
    gateway.logged("the connection to Redis ended: cannot connect");
    let _redis = Redis::start_at(address, "");
    let statuses = [(); 3].map(|()| ask(gateway, "back", "k1"));
    assert_eq!(statuses, [200, 200, 429]);
}

/// What all counters of the plugin hold: members of sorted sets, `time:…:count`.
const SUM: &str = "local sum = 0
for _, key in ipairs(redis.call('KEYS', '*')) do
  if redis.call('TYPE', key).ok == 'zset' then
    for _, member in ipairs(redis.call('ZRANGE', key, 0, -1)) do
      sum = sum + tonumber(string.match(member, '(%d+)$'))
    end
  end
end
return tostring(sum)";

/// What the servers behind two clusters are asked, and when they may answer.
struct Models {
    upstreams: Vec<Upstream>,
    seen: Arc<Mutex<Vec<(usize, Message)>>>,
    gates: Vec<mpsc::Sender<()>>,
}

impl Models {
    /// Two servers that answer one request for each permission.
    fn start() -> Self {
        let seen = Arc::<Mutex<Vec<(usize, Message)>>>::default();
        let (mut upstreams, mut gates) = (Vec::new(), Vec::new());
        for which in 0..2 {
            let (gate, permissions) = mpsc::channel();
            let (seen, permissions) = (Arc::clone(&seen), Mutex::new(permissions));
            upstreams.push(Upstream::start(move |mut wire, _| {
                while let Ok(Some(request)) = wire.try_request() {
                    seen.lock()
                        .expect("nothing panics here")
                        .push((which, request));
                    let permission = permissions.lock().expect("nothing panics here").recv();
                    let answer = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
                    if permission.is_err() || wire.try_send(answer).is_err() {
                        return;
                    }
                }
            }));
            gates.push(gate);
        }
        Self {
            upstreams,
            seen,
            gates,
        }
    }

    fn seen(&self) -> Vec<(usize, Message)> {
        self.seen.lock().expect("nothing panics here").clone()
    }
}

/// The least loaded of two instances, to which the header leads that the plugin sets.
fn balancer(redis: &Redis, models: &Models, names: &[String; 2]) -> Gateway {
    let candidates = names.each_ref().map(|cluster| {
        json!({ "cluster": cluster, "targetId": "2", "kind": "instance", "maxRunningRequests": 1 })
    });
    let state = json!({ "service_name": "redis.static" });
    let context = json!({
        "mode": "context", "candidates": candidates, "redis": state,
        "modelMappers": { "2": { "gpt-*": "qwen3-0.6b" } },
    });
    let finisher = json!({ "mode": "finisher", "redis": state });
    let filters = json!(["context", "load", "finisher"]);
    let to = |cluster: &str| {
        json!({
            "filters": filters, "forward": cluster,
            "match": { "headers": [{ "name": "x-higress-target-cluster", "exact": cluster }] },
        })
    };
    let otherwise = json!({ "filters": filters, "respond": { "status": 503 } });
    gateway(
        &[
            ("context".to_owned(), LB, context),
            ("load".to_owned(), "gpustack-lb-least-load/0.1.0", json!({})),
            ("finisher".to_owned(), LB, finisher),
        ],
        &[
            (names[0].clone(), models.upstreams[0].address.to_string()),
            (names[1].clone(), models.upstreams[1].address.to_string()),
            (cluster_of("redis"), redis.address.to_string()),
        ],
        &json!([to(&names[0]), to(&names[1]), otherwise]),
    )
}

/// The least loaded of two instances, each of which takes one request at a time, by what the Redis holds.
#[test]
fn the_load_balancer_reserves_in_redis() {
    let (redis, models) = (Redis::start(""), Models::start());
    let names = ["model-2-1", "model-2-2"].map(cluster_of);
    let gateway = balancer(&redis, &models, &names);
    let body = r#"{"model":"gpt-4o","messages":[]}"#;
    let request = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: h\r\nx-higress-llm-model: gpt-4o\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut wires = [gateway.connect(), gateway.connect()];
    for (wire, count) in wires.iter_mut().zip(1..) {
        wire.send(&request);
        until("a model is asked", || models.seen().len() == count);
    }
    let seen = models.seen();
    assert_ne!(seen[0].0, seen[1].0, "each instance has one");
    for (_, request) in &seen {
        assert!(
            request.text().contains(r#""model":"qwen3-0.6b""#),
            "{request:?}"
        );
    }
    // Both are full.
    let refusal = gateway.ask(&request);
    assert_eq!(refusal.status(), 429, "{refusal:?}");
    assert!(
        refusal.text().contains("max inflight requests reached"),
        "{refusal:?}"
    );
    for gate in &models.gates {
        gate.send(()).expect("the server waits");
    }
    for wire in &mut wires {
        assert_eq!(wire.response().status(), 200);
    }
    drop(wires);
    until("both reservations are released", || {
        !redis.keys("0").contains(":inflight:")
    });
    models.gates[0].send(()).expect("the server waits");
    models.gates[1].send(()).expect("the server waits");
    assert_eq!(gateway.ask(&request).status(), 200);
    gateway.end();
}
