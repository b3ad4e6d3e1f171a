//! Shared maps (WASI-Map) of one instance: its handles, and who is told when a watch has something.
//!
//! The table is made with the first call. Invariants: whatever ends the world closes its handles and
//! ends what it lent; a loan ends with the stream in whose callback it was made.

use std::cell::RefCell;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::task::Waker;

use tokio::sync::oneshot;
use weir_guest::door::ContextId;
use weir_guest::{Answer, Reply, Stop};
use weir_maps::call::LaterReply;
use weir_maps::{Called, Ends, Handles, MapCall, MapReply};

use super::LiveWorld;
use crate::gateway::{Process, Shared};
use crate::maps::{Bell, ON_RELEASE, leaves_work};
use crate::plugin::Slot;
use crate::touched::Kind;

/// `errno` of a handle that is none.
const BADF: i32 = 8;
/// `errno` of what failed outside of the gateway.
const IO: i32 = 29;
/// `errno` of what is not there, or not granted.
const NOENT: i32 = 44;
/// `errno` of what is granted with fewer rights.
const NOTCAPABLE: i32 = 76;

/// What one instance has of maps.
pub(super) struct MapSeat {
    handles: Handles,
    watches: Vec<Following>,
    /// The last copy that was made for copies of the instance.
    print: RefCell<Option<Arc<Handles>>>,
    /// What the guest waits for.
    awaited: Awaited,
    /// Dropped behind the handles.
    stir: Stir,
}

/// What is known of a call whose reply comes later.
#[derive(Clone, Copy, Default)]
struct Awaited {
    leaves_work: bool,
    is_watch: bool,
}

/// Sees to it that what was let go is tidied up.
struct Stir(Arc<Process>);

impl Drop for Stir {
    fn drop(&mut self) {
        self.0.maps.stir();
    }
}

/// A watch that rings.
struct Following {
    watch: u32,
    bell: Arc<Bell>,
    shared: Rc<Shared>,
}

/// Whom the bell of a watch is for.
#[derive(Clone)]
pub(crate) struct Watched {
    pub(crate) slot: Weak<Slot>,
    pub(crate) watch: u32,
    /// The context that began it, and its root.
    pub(crate) context: ContextId,
    pub(crate) root: ContextId,
}

impl Drop for Following {
    fn drop(&mut self) {
        self.shared.watched.borrow_mut().remove(&self.bell.number);
    }
}

impl MapSeat {
    fn new(handles: Handles, process: &Arc<Process>) -> Box<Self> {
        Box::new(Self {
            handles,
            watches: Vec::new(),
            print: RefCell::default(),
            awaited: Awaited::default(),
            stir: Stir(Arc::clone(process)),
        })
    }

    /// What copies of the instance are to have; the same one while nothing changes.
    pub(super) fn print(&self) -> Arc<Handles> {
        let mut print = self.print.borrow_mut();
        let known = print
            .as_ref()
            .filter(|known| known.is_copy_of(&self.handles));
        let known = known.map_or_else(|| Arc::new(self.handles.copy()), Arc::clone);
        *print = Some(Arc::clone(&known));
        known
    }

    /// Whether nothing here is of one instance alone: no watch, and no map without a name.
    pub(super) fn is_at_rest(&self) -> bool {
        self.watches.is_empty() && !self.handles.holds_anonymous()
    }

    /// A request of this instance is over.
    pub(super) fn end_request(&mut self, context: ContextId) {
        self.handles.end_request(u64::from(context));
    }

    /// Makes a seat of a copy what it was; `None`: the instance that it is a copy of has none.
    pub(super) fn restore(
        place: &mut Option<Box<Self>>,
        print: Option<&Arc<Handles>>,
        process: &Arc<Process>,
    ) {
        let Some(print) = print else {
            *place = None;
            return;
        };
        let Some(seat) = place else {
            *place = Some(Self::new(print.copy(), process));
            return;
        };
        seat.watches.clear();
        if !seat.handles.is_copy_of(print) {
            seat.handles.restore_from(print);
            seat.stir.0.maps.stir();
        }
    }
}

impl LiveWorld {
    /// Does what the guest asks of maps.
    ///
    /// # Errors
    /// [`Stop::CannotWait`]: the map answers later, and this guest cannot be suspended.
    pub(super) fn map_call(&mut self, call: MapCall<'_>) -> Result<Answer, Stop> {
        let lends = matches!(call, MapCall::Lend { .. });
        let Some(seat) = self.map_seat() else {
            // There is no such filter any more.
            return Ok(Reply::Map(MapReply::Refused(BADF, 0)).into());
        };
        let ends = if lends || seat.handles.counts_requests() {
            self.loan_ends()
        } else {
            Ends::WithInstance
        };
        let Some(seat) = self.map_seat() else {
            return Ok(Reply::Map(MapReply::Refused(BADF, 0)).into());
        };
        let reply = match seat.handles.call(call, ends) {
            Called::Now(reply) => reply,
            Called::Later(later) => return self.wait_for_map(call, later),
        };
        if leaves_work(&call) {
            self.shared.process.maps.stir();
        }
        self.note_map_call(&call, &reply);
        Ok(Reply::Map(reply).into())
    }

    /// Lets the guest wait for a reply. The operation goes on whatever becomes of the guest.
    fn wait_for_map(&mut self, call: MapCall<'_>, later: LaterReply) -> Result<Answer, Stop> {
        if !self.can_wait() {
            return Err(Stop::CannotWait);
        }
        let (tell, told) = oneshot::channel();
        let task = self.shared.spawn(async move {
            // Nobody waits any more.
            let _ = tell.send(later.await);
        });
        if task.is_none() {
            return Ok(Reply::Map(MapReply::Refused(IO, 0)).into());
        }
        if let Some(seat) = &mut self.maps {
            seat.awaited = Awaited {
                leaves_work: leaves_work(&call),
                is_watch: matches!(call, MapCall::Watch { .. }),
            };
        }
        Ok(Answer::Pending(Box::pin(async move {
            Reply::Map(told.await.unwrap_or(MapReply::Refused(IO, 0)))
        })))
    }

    /// A reply came that the guest has waited for.
    pub(super) fn map_arrived(&mut self, reply: &Reply) {
        let Reply::Map(reply) = reply else { return };
        let awaited = self.maps.as_mut().map(|seat| seat.awaited);
        let Awaited {
            leaves_work,
            is_watch,
        } = awaited.unwrap_or_default();
        if leaves_work {
            self.shared.process.maps.stir();
        }
        if let (true, MapReply::Number(watch)) = (is_watch, reply)
            && let Ok(watch) = u32::try_from(*watch)
        {
            self.follow(watch);
        }
    }

    fn map_seat(&mut self) -> Option<&mut MapSeat> {
        if self.maps.is_none() {
            let slot = self.slot.upgrade()?;
            let filter = &slot.filter().name;
            let maps = &self.shared.process.maps;
            if slot.program().has_callback(ON_RELEASE) && self.rules.allows(ON_RELEASE) {
                maps.listen(filter, &self.shared.map_notices, slot.index());
            }
            let handles = maps.handles(filter)?;
            self.maps = Some(MapSeat::new(handles, &self.shared.process));
        }
        self.maps.as_deref_mut()
    }

    /// What is lent now ends with the stream that calls act on, or with the instance.
    fn loan_ends(&self) -> Ends {
        let context = self.here.context;
        if self.seats.contains_key(&context) {
            Ends::WithRequest(u64::from(context))
        } else {
            Ends::WithInstance
        }
    }

    /// Notes names that are opened, and watches that begin and end.
    fn note_map_call(&mut self, call: &MapCall<'_>, reply: &MapReply) {
        match (call, reply) {
            (
                MapCall::Open { name, .. } | MapCall::OpenGranted { name: Some(name) },
                MapReply::Refused(NOENT | NOTCAPABLE, _),
            ) => self.rules.refuse(Kind::Map, name),
            (MapCall::Open { name, .. } | MapCall::OpenGranted { name: Some(name) }, _) => {
                self.rules.note(Kind::Map, name);
            }
            (MapCall::Watch { .. }, MapReply::Number(watch)) => {
                if let Ok(watch) = u32::try_from(*watch) {
                    self.follow(watch);
                }
            }
            (MapCall::Unwatch { watch }, MapReply::Done) => {
                if let Some(seat) = &mut self.maps {
                    seat.watches.retain(|following| following.watch != *watch);
                }
            }
            _ => {}
        }
    }

    /// Has a watch ring for the context that calls act on.
    fn follow(&mut self, watch: u32) {
        let shared = Rc::clone(&self.shared);
        let number = shared.next_watch.get();
        shared.next_watch.set(number + 1);
        let watched = Watched {
            slot: self.slot.clone(),
            watch,
            context: self.here.context,
            root: self.here.root,
        };
        shared.watched.borrow_mut().insert(number, watched);
        let bell = Bell::new(number, &shared.map_notices);
        let Some(seat) = &mut self.maps else { return };
        // It was begun just now.
        let _ = seat.handles.ring(watch, Waker::from(Arc::clone(&bell)));
        seat.watches.push(Following {
            watch,
            bell,
            shared,
        });
    }

    /// The context that hears of a watch: the one that began it, or its root if that is over.
    pub(crate) fn listener(&self, watched: &Watched) -> ContextId {
        if self.seats.contains_key(&watched.context) {
            watched.context
        } else {
            watched.root
        }
    }
}
