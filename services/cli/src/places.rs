//! Partitions as commands name them, and the offsets that places in them come to.

use aquifer_client::{Client, ClientError, OffsetAt, Place, Start, TopicDescription};
use aquifer_types::{Offset, PartitionIndex};
use aquifer_wire::Text;

use crate::failure::Failure;

/// The chosen partitions of a topic; all of them if none is chosen.
pub(crate) fn chosen(topic: &TopicDescription, partitions: &[i32]) -> Result<Vec<Place>, Failure> {
    let name = Text::from(topic.name.as_str());
    if partitions.is_empty() {
        return Ok(topic.partitions.iter().map(|partition| (name.clone(), partition.index)).collect());
    }
    let known = |index: i32| topic.partitions.iter().any(|partition| partition.index.0 == index);
    if let Some(unknown) = partitions.iter().find(|index| !known(**index)) {
        let count = topic.partitions.len();
        return Err(Failure::new(
            crate::failure::Exit::NotFound,
            format!("topic {} has no partition {unknown}", topic.name),
        )
        .hint(format!("it has {count}, numbered from 0")));
    }
    Ok(partitions.iter().map(|index| (name.clone(), PartitionIndex(*index))).collect())
}

/// Where partitions start and end.
pub(crate) struct Ends {
    pub(crate) place: Place,
    pub(crate) start: Offset,
    pub(crate) end: Offset,
}

/// Where each of these starts and ends.
pub(crate) async fn ends(client: &Client, places: &[Place]) -> Result<Vec<Ends>, Failure> {
    let starts = listed(client, places, OffsetAt::Start).await?;
    let ends = listed(client, places, OffsetAt::End).await?;
    let both = starts.into_iter().zip(ends);
    let all = places.iter().zip(both).map(|(place, (start, end))| Ends {
        place: place.clone(),
        start: start.unwrap_or_default(),
        end: end.unwrap_or_default(),
    });
    Ok(all.collect())
}

/// The offset that a start comes to in each of these, within what the partition holds.
pub(crate) async fn resolved(
    client: &Client,
    places: &[Place],
    start: Start,
) -> Result<Vec<(Ends, Offset)>, Failure> {
    let ends = ends(client, places).await?;
    let times = match start {
        Start::Time(time) => listed(client, places, OffsetAt::Time(time)).await?,
        _ => vec![None; places.len()],
    };
    let offsets = ends.into_iter().zip(times).map(|(ends, at_time)| {
        let wanted = match start {
            Start::Earliest => ends.start,
            Start::Latest => ends.end,
            Start::Offset(offset) => offset,
            Start::BeforeEnd(count) => ends.end.plus(-count),
            Start::Time(_) => at_time.unwrap_or(ends.end),
        };
        let offset = wanted.clamp(ends.start, ends.end);
        (ends, offset)
    });
    Ok(offsets.collect())
}

async fn listed(client: &Client, places: &[Place], at: OffsetAt) -> Result<Vec<Option<Offset>>, Failure> {
    let wanted: Vec<_> = places.iter().map(|place| (place.clone(), at)).collect();
    let listed: Result<Vec<_>, ClientError> = client.list_offsets(&wanted, false).await.into_iter().collect();
    let listed = listed.map_err(|error| Failure::of_client("ask for offsets", &error))?;
    Ok(listed.into_iter().map(|listed| listed.offset).collect())
}
