//! VMs move to better code of the same module when there is some.
//!
//! As at a rebuild, new streams go to a new VM, and the old one ends with its last stream: no stream
//! notices. What the plugin kept in the VM's memory beside its configuration starts anew.

use super::{PluginError, Slot};

impl Slot {
    /// Makes a VM of the best code, if this one runs other code. To be told to slots in chains only.
    /// A plugin that has failed gets it with its next VM.
    pub(crate) fn follow_code(&self) {
        // Copies move by themselves; the VM that they show goes on as it is, with what it knows.
        if let Some(copies) = self.copies() {
            copies.follow_code();
            return;
        }
        let known = self.newest();
        let newest = known.as_deref().unwrap_or(self);
        if !newest.is_outdated() {
            return;
        }
        if newest.may_wait() {
            self.succeed_later(newest, Self::tell_of_better);
            return;
        }
        let outcome = self.succeed(newest);
        self.tell_of_better(newest, outcome.err().as_ref());
    }

    fn tell_of_better(&self, _: &Self, error: Option<&PluginError>) {
        let filter = &self.filter().name;
        match error {
            None => tracing::info!(%filter, "the plugin runs optimised code now, in a new VM"),
            Some(error) => tracing::error!(
                %error,
                "the plugin did not start with optimised code; it goes on with what it has"
            ),
        }
    }
}
