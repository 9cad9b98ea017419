//! What is set: on topics, brokers and groups.
