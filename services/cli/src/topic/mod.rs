//! `aquifer topic`: topics, their configs, their records' ends.

mod arguments;
mod change;
mod configs;
mod curl;
mod offsets;
mod view;

pub(crate) use arguments::TopicCommand;

use aquifer_runtime::Runtime;

use crate::failure::Failure;

pub(crate) async fn run(command: &TopicCommand) -> Result<(), Failure> {
    if let Some(base) = &command.reach().curl {
        return crate::curl::print(base, command.requests());
    }
    let runtime = Runtime::real();
    match command {
        TopicCommand::List(arguments) => view::list(&runtime, arguments).await,
        TopicCommand::Describe(arguments) => view::describe(&runtime, arguments).await,
        TopicCommand::Create(arguments) => change::create(&runtime, arguments).await,
        TopicCommand::Delete(arguments) => change::delete(&runtime, arguments).await,
        TopicCommand::Undelete(arguments) => change::undelete(&runtime, arguments).await,
        TopicCommand::AddPartitions(arguments) => change::add_partitions(&runtime, arguments).await,
        TopicCommand::Config(command) => configs::run(&runtime, command).await,
        TopicCommand::Offsets(arguments) => offsets::offsets(&runtime, arguments).await,
        TopicCommand::Trim(arguments) => offsets::trim(&runtime, arguments).await,
    }
}
