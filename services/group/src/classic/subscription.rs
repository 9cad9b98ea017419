//! Reads the topics out of a consumer's subscription, which is otherwise the clients' own affair.

/// The topics that `ConsumerProtocolSubscription` names, in any version; `None` if these bytes are something else.
pub(crate) fn subscribed_topics(metadata: &[u8]) -> Option<Vec<String>> {
    let (version, mut rest) = metadata.split_first_chunk::<2>()?;
    if i16::from_be_bytes(*version) < 0 {
        return None;
    }
    let (count, after) = rest.split_first_chunk::<4>()?;
    rest = after;
    let count = usize::try_from(i32::from_be_bytes(*count)).ok()?;
    let mut topics = Vec::new();
    for _ in 0..count {
        let (length, after) = rest.split_first_chunk::<2>()?;
        let length = usize::try_from(i16::from_be_bytes(*length)).ok()?;
        let (name, after) = after.split_at_checked(length)?;
        topics.push(std::str::from_utf8(name).ok()?.to_owned());
        rest = after;
    }
    Some(topics)
}
