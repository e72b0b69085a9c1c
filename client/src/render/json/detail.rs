//! What an event, or an entry of the audit log, says beside its fields.

use serde_json::{Value, json};

/// JSON that came as text.
pub fn object(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| json!(text))
}
