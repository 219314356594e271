//! What readers get, written piece by piece: JSON with its schema, metrics, drawings. Nothing of the agent is known here.

pub mod draw;
pub mod json;
pub mod metrics;
pub mod number;
pub mod schema;

pub use json::{List, Num, Shape, Time, num, text};
pub use metrics::Metrics;
