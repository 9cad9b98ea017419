//! `AlterUserScramCredentialsRequest`: SCRAM credentials to set or delete.

use bytes::Bytes;

use crate::message::message;
use crate::text::Text;

message! {
    /// SCRAM credentials to set or delete.
    AlterUserScramCredentialsRequest { versions 0..=0, flexible from 0 }
    {
        deletions: Vec<ScramCredentialDeletion> [..];
        upsertions: Vec<ScramCredentialUpsertion> [..];
    }

    ScramCredentialDeletion {
        name: Text [..];
        mechanism: i8 [..];
    }

    ScramCredentialUpsertion {
        name: Text [..];
        mechanism: i8 [..];
        iterations: i32 [..];
        salt: Bytes [..];
        salted_password: Bytes [..];
    }
}
