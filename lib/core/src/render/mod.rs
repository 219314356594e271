//! Output for readers, piece by piece: JSON with its schema, metrics, drawings. Knows nothing of the agent.

pub mod draw;
pub mod json;
pub mod metrics;
pub mod number;
pub mod schema;

pub use json::{List, Num, Shape, Time, num, text};
pub use metrics::Metrics;
