//! The way back from a trait object to its type: `dyn Trait` does not become `dyn Any` by itself in Rust 1.85.

use std::any::Any;

/// Lends a value as `Any`, to find out its type. Every type has it.
pub trait AsAny: Any {
    /// To read it.
    fn as_any(&self) -> &dyn Any;
    /// To change it.
    fn as_any_mut(&mut self) -> &mut dyn Any;
}

impl<T: Any> AsAny for T {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }
}
