//! Functions as a host runs them.
