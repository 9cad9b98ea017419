//! `aquifer group`: groups, how far they are, and where they are to go on.

mod arguments;
mod change;
mod curl;
mod view;

pub(crate) use arguments::GroupCommand;

use aquifer_runtime::Runtime;

use crate::failure::Failure;

pub(crate) async fn run(command: &GroupCommand) -> Result<(), Failure> {
    let runtime = Runtime::real();
    if let Some(base) = &command.reach().curl {
        return crate::curl::print(base, command.requests(runtime.now().wall));
    }
    match command {
        GroupCommand::List(arguments) => view::list(&runtime, arguments).await,
        GroupCommand::Describe(arguments) => view::describe(&runtime, arguments).await,
        GroupCommand::Lag(arguments) => view::lag(&runtime, arguments).await,
        GroupCommand::Reset(arguments) => change::reset(&runtime, arguments).await,
        GroupCommand::Delete(arguments) => change::delete(&runtime, arguments).await,
        GroupCommand::DeleteOffsets(arguments) => change::delete_offsets(&runtime, arguments).await,
    }
}
