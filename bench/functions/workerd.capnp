using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [(name = "main", worker = .worker)],
  sockets = [(name = "http", address = "127.0.0.1:@port@", http = (), service = "main")],
);

const worker :Workerd.Worker = (
  modules = [
    (name = "workerd.mjs", esModule = embed "workerd.mjs"),
    (name = "work.mjs", esModule = embed "work.mjs"),
  ],
  compatibilityDate = "2026-01-01",
);
