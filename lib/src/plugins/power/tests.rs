//! Scenarios of the plugin in virtual time.
