//! What clients are known to do wrong whatever the broker: red on the report card, with the reason, and no failure.

/// Client, capability, and why it is the client's own fault.
const KNOWN: [(&str, &str, &str); 3] = [
    ("rdkafka", "describe and alter configs", "alter_configs keeps to itself what the broker refused"),
    ("kafka-go", "keys, null values, empty values", "its reader takes what is empty for null"),
    ("kafka-go", "headers", "its reader takes what is empty for null"),
];

/// Why a client cannot be blamed on the broker for failing at a capability.
pub(super) fn fault(client: &str, capability: &str) -> Option<&'static str> {
    KNOWN.iter().find(|(who, what, _)| *who == client && *what == capability).map(|(_, _, why)| *why)
}
