//! `DescribeUserScramCredentialsRequest`: users whose SCRAM credentials are asked for.

use crate::message::message;
use crate::text::Text;

message! {
    /// Users whose SCRAM credentials are asked for.
    DescribeUserScramCredentialsRequest { versions 0..=0, flexible from 0 }
    {
        users: Option<Vec<UserName>> [..] = Some(Vec::new());
    }

    UserName {
        name: Text [..];
    }
}
