//! `ApiVersionsRequest`: the name and version of the client software.

use crate::message::message;
use crate::text::Text;

message! {
    /// The name and version of the client software.
    ApiVersionsRequest { versions 0..=4, flexible from 3 }
    {
        client_software_name: Text [3..] ignorable;
        client_software_version: Text [3..] ignorable;
    }
}
