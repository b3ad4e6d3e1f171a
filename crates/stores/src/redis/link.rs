//! The way to the servers.
//!
//! A worker that said so has connections of its own; all other threads use those of the back end's
//! thread, which also sweeps and watches. Either way the requests of many guests share a connection
//! and leave in batches: what has come up while the last write was under way goes out with the next
//! one. Each request waits for its connection, follows redirections, and ends at its deadline.

mod connect;
mod hub;
mod node;
mod serve;
mod tend;
mod topology;

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::thread;
use std::time::{Duration, Instant};

use redis::Value as Reply;
use tokio::sync::{mpsc, oneshot};
use weir_maps::MapError;
use weir_model::limits::redis as limits;

use super::Setup;
use super::script::Request;
use super::store::Core;
use hub::Hub;

/// What a worker wants.
enum Job {
    /// An answer.
    Ask(Ask),
    /// That a map's changes are told to its watchers.
    Follow(
        Arc<Core>,
        Seat,
        Instant,
        oneshot::Sender<Result<(), MapError>>,
    ),
    /// That what ended is swept, as long as the map is in use.
    Tend(Weak<Core>),
}

struct Ask {
    core: Arc<Core>,
    part: usize,
    request: Request,
    until: Instant,
    reply: oneshot::Sender<Result<Reply, MapError>>,
    seat: Seat,
}

/// Where a request goes.
enum Way {
    Here(Rc<Hub>, Arc<Core>, Request, Seat),
    There(oneshot::Receiver<Result<Reply, MapError>>),
}

/// One of the operations that may be under way.
struct Seat(Arc<AtomicUsize>);

impl Seat {
    fn take(taken: &Arc<AtomicUsize>) -> Result<Self, MapError> {
        if taken.fetch_add(1, Ordering::Relaxed) >= limits::IN_FLIGHT_MAX {
            taken.fetch_sub(1, Ordering::Relaxed);
            return Err(MapError::NoMemory {
                what: "operations that wait for this back end",
                max: limits::IN_FLIGHT_MAX,
            });
        }
        Ok(Self(Arc::clone(taken)))
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

thread_local! {
    /// The connections of this thread, for each back end that has some here.
    static HERE: RefCell<HashMap<u64, Rc<Hub>>> = RefCell::default();
}

/// Takes a back end's connections out of [`HERE`], when it or the thread's `LocalSet` ends.
struct Leaves(u64);

impl Drop for Leaves {
    fn drop(&mut self) {
        // Where the thread is ending there is nothing to do.
        let gone = HERE.try_with(|here| here.borrow_mut().remove(&self.0));
        drop(gone);
    }
}

/// The way to the servers: over connections of this thread if it has some, else over the back end's
/// own thread. That ends when this is dropped.
pub(super) struct Link {
    /// No two of this process have the same.
    id: u64,
    config: Arc<Setup>,
    jobs: mpsc::UnboundedSender<Job>,
    taken: Arc<AtomicUsize>,
    /// Others see by it that this is gone.
    life: Arc<()>,
}

impl Link {
    pub(super) fn start(config: Arc<Setup>) -> std::io::Result<Self> {
        static LINKS: AtomicU64 = AtomicU64::new(0);
        // Bounded by the seats.
        let (jobs, queue) = mpsc::unbounded_channel();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let thread = thread::Builder::new().name("weir-redis".to_owned());
        let life = Arc::new(());
        let (of_thread, alive) = (Arc::clone(&config), Arc::downgrade(&life));
        thread.spawn(move || {
            let local = tokio::task::LocalSet::new();
            local.block_on(&runtime, work(of_thread, alive, queue));
        })?;
        Ok(Self {
            id: LINKS.fetch_add(1, Ordering::Relaxed),
            config,
            jobs,
            taken: Arc::default(),
            life,
        })
    }

    /// From now on this thread has connections of its own.
    pub(super) fn serve_here(&self) {
        let id = self.id;
        HERE.with_borrow_mut(|here| {
            here.entry(id).or_insert_with(|| {
                let hub = Hub::start(Arc::clone(&self.config), Arc::downgrade(&self.life));
                let over = Rc::clone(&hub).end();
                let leaves = Leaves(id);
                drop(tokio::task::spawn_local(async move {
                    over.await;
                    drop(leaves);
                }));
                hub
            });
        });
    }

    /// Sends a request, at the latest when the answer is waited for.
    pub(super) fn send(
        &self,
        core_of: &Arc<Core>,
        part: usize,
        request: Request,
    ) -> impl Future<Output = Result<Reply, MapError>> + 'static {
        let core = Arc::clone(core_of);
        let begun = Instant::now();
        let until = core.until();
        let here = HERE.with_borrow(|here| here.get(&self.id).cloned());
        let seat = Seat::take(&self.taken);
        let jobs = here.is_none().then(|| self.jobs.clone());
        let way = seat.and_then(|seat| match (here, jobs) {
            (Some(hub), _) => Ok(Way::Here(hub, core, request, seat)),
            (None, jobs) => {
                let (reply, answer) = oneshot::channel();
                let ask = Ask {
                    core,
                    part,
                    request,
                    until,
                    reply,
                    seat,
                };
                if jobs.is_some_and(|jobs| jobs.send(Job::Ask(ask)).is_ok()) {
                    Ok(Way::There(answer))
                } else {
                    Err(ended())
                }
            }
        });
        let asked = Arc::clone(core_of);
        async move {
            let reply = match way {
                Err(error) => Err(error),
                Ok(Way::Here(hub, core, request, seat)) => {
                    let reply = serve::within(&hub, &core, part, &request, until).await;
                    drop(seat);
                    reply
                }
                Ok(Way::There(answer)) => answer.await.unwrap_or_else(|_| Err(ended())),
            };
            asked.trips.record(begun.elapsed(), reply.is_err());
            reply
        }
    }

    /// Makes sure that changes from now on are told.
    pub(super) fn follow(
        &self,
        core: &Arc<Core>,
    ) -> impl Future<Output = Result<(), MapError>> + 'static {
        let answer = Seat::take(&self.taken).and_then(|seat| {
            let (reply, answer) = oneshot::channel();
            let job = Job::Follow(Arc::clone(core), seat, core.until(), reply);
            self.jobs.send(job).map_err(|_| ended())?;
            Ok(answer)
        });
        async move { answer?.await.unwrap_or_else(|_| Err(ended())) }
    }

    /// Sweeps what ended from time to time.
    pub(super) fn tend(&self, core: &Arc<Core>) {
        // If the thread has ended nothing works any more, which operations say.
        let _ = self.jobs.send(Job::Tend(Arc::downgrade(core)));
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let under_way = self.taken.load(Ordering::Relaxed);
        f.debug_struct("Link")
            .field("under_way", &under_way)
            .finish_non_exhaustive()
    }
}

fn ended() -> MapError {
    MapError::Io("the back end's thread has ended".to_owned())
}

async fn work(config: Arc<Setup>, alive: Weak<()>, mut queue: mpsc::UnboundedReceiver<Job>) {
    let hub = Hub::start(config, alive);
    while let Some(job) = queue.recv().await {
        let hub = Rc::clone(&hub);
        match job {
            Job::Ask(ask) => drop(tokio::task::spawn_local(serve::answer(hub, ask))),
            Job::Follow(core, seat, until, reply) => {
                drop(tokio::task::spawn_local(async move {
                    let followed = tend::followed(&hub, &core, until).await;
                    drop(seat);
                    // Whoever asked may have gone.
                    let _ = reply.send(followed);
                }));
            }
            Job::Tend(core) => drop(tokio::task::spawn_local(tend::sweep(hub, core))),
        }
    }
}

/// A pause, half of which is chance: those who were cut off together come back one after another.
fn jittered(pause: Duration) -> Duration {
    let half = pause / 2;
    let chance = getrandom::u32().unwrap_or(u32::MAX / 2);
    half + half.mul_f64(f64::from(chance) / f64::from(u32::MAX))
}
