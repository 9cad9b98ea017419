//! `message!`: makes the structs and the codec of a Kafka message from one description.
//!
//! A description names the message, its versions and its first flexible version, then its fields:
//!
//! ```text
//! FetchResponse { versions 4..=18, flexible from 12 }
//! {
//!     error_code: ErrorCode [7..] ignorable;
//!     node_endpoints: Vec<NodeEndpoint> [16.., tag 0];
//! }
//! ```
//!
//! In brackets stand the versions that have the field (inclusive, as Kafka counts them; `..` means all of the message),
//! for an `Option` the versions that allow null if those are fewer, and the number of a tagged field, which stands in
//! flexible versions only. `ignorable` fields are dropped where the version lacks them; others must then hold their
//! default, which is the type's own unless `= value` follows. Structs used by fields come after the message.

use bytes::Bytes;

use crate::api::ApiKey;
use crate::decoder::{DecodeError, Decoder};
use crate::encoder::{EncodeError, Encoder, Piece};
use crate::value::Value;

/// The first flexible version of messages that have none.
pub const NEVER: i16 = i16::MAX;

/// A request or response of one API.
pub trait Message: Value + Clone + Default + Eq + std::fmt::Debug {
    const KEY: ApiKey;
    const VERSION_MIN: i16;
    /// The last version, inclusive.
    const VERSION_MAX: i16;
    /// From this version on, lengths are compact and structs end in tagged fields.
    const FLEXIBLE_FROM: i16;

    #[must_use]
    fn is_flexible(version: i16) -> bool {
        version >= Self::FLEXIBLE_FROM
    }

    /// Reads the body of a frame, which must end where the message ends.
    fn decode_body(version: i16, body: &Bytes) -> Result<Self, DecodeError> {
        let (message, decoder) = decode_start(version, body)?;
        decoder.finish()?;
        Ok(message)
    }

    /// Reads the body of a frame and ignores what follows it, as Kafka does with requests: librdkafka, up to 2.16 at
    /// least, asks for the metadata of all topics with three bytes too many.
    fn decode_body_start(version: i16, body: &Bytes) -> Result<Self, DecodeError> {
        decode_start(version, body).map(|(message, _rest)| message)
    }

    /// The body without size and header.
    fn encode_body(&self, version: i16) -> Result<Vec<Piece>, EncodeError> {
        let mut encoder = Encoder::new(version, Self::is_flexible(version));
        write_body(self, &mut encoder)?;
        Ok(encoder.into_pieces())
    }
}

/// What a client sends.
pub trait Request: Message {
    type Response: Response<Request = Self>;
}

/// What a broker answers.
pub trait Response: Message {
    type Request: Request<Response = Self>;

    /// Whether the header of a response ends in tagged fields. ApiVersions never has them, so that a client that does
    /// not know yet what the broker speaks can read the answer.
    #[must_use]
    fn has_flexible_header(version: i16) -> bool {
        Self::KEY != ApiKey::ApiVersions && Self::is_flexible(version)
    }
}

pub(crate) fn write_body<M: Message>(message: &M, encoder: &mut Encoder) -> Result<(), EncodeError> {
    let version = encoder.version();
    if !supports::<M>(version) {
        return Err(EncodeError::UnsupportedVersion { api_key: M::KEY.number(), version });
    }
    message.encode(encoder, false)
}

fn decode_start<M: Message>(version: i16, body: &Bytes) -> Result<(M, Decoder<'_>), DecodeError> {
    if !supports::<M>(version) {
        return Err(DecodeError::UnsupportedVersion { api_key: M::KEY.number(), version });
    }
    let mut decoder = Decoder::new(body, version, M::is_flexible(version));
    let message = M::decode(&mut decoder, false)?;
    Ok((message, decoder))
}

fn supports<M: Message>(version: i16) -> bool {
    (M::VERSION_MIN..=M::VERSION_MAX).contains(&version)
}

/// The crate's own description language; see the module.
macro_rules! message {
    (
        $(#[$message_attribute:meta])*
        $message:ident { versions $first:literal..=$last:literal, flexible from $flexible:expr }
        $fields:tt
        $($inner:ident $inner_fields:tt)*
    ) => {
        impl $crate::message::Described for $message {
            const VERSION_MIN: i16 = $first;
            const VERSION_MAX: i16 = $last;
            const FLEXIBLE_FROM: i16 = $flexible;
        }

        $crate::message::structure! { $(#[$message_attribute])* $message $fields }
        $($crate::message::structure! { $inner $inner_fields })*
    };
}

/// The part of [`Message`] that a description says by itself; the table of APIs adds the key.
pub trait Described {
    const VERSION_MIN: i16;
    const VERSION_MAX: i16;
    const FLEXIBLE_FROM: i16;
}

macro_rules! structure {
    (
        $(#[$attribute:meta])*
        $structure:ident {
            $(
                $field:ident: $kind:ty
                [$versions:expr $(, null $null_versions:expr)? $(, tag $tag:literal)?]
                $($ignorable:ident)? $(= $default:expr)?;
            )*
        }
    ) => {
        $(#[$attribute])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct $structure {
            $(pub $field: $kind,)*
        }

        impl Default for $structure {
            fn default() -> Self {
                Self { $($field: $crate::message::default!($($default)?),)* }
            }
        }

        #[allow(unused_imports, unused_variables, unused_mut, reason = "some structs have no tags")]
        const _: () = {
            use std::ops::RangeBounds as _;

            use $crate::decoder::{DecodeError, Decoder};
            use $crate::encoder::{EncodeError, Encoder};
            use $crate::message::{default, is_ignorable, is_tagged, null_versions};
            use $crate::value::{NullableValue, Value};

            impl Value for $structure {
                fn size_min(version: i16, flexible: bool) -> usize {
                    let mut size = usize::from(flexible);
                    $(if ($versions).contains(&version) && !is_tagged!($($tag)?) {
                        size += <$kind as Value>::size_min(version, flexible);
                    })*
                    size
                }

                fn decode(decoder: &mut Decoder<'_>, _nullable: bool) -> Result<Self, DecodeError> {
                    let version = decoder.version();
                    let mut value = Self {
                        $($field: if ($versions).contains(&version) && !is_tagged!($($tag)?) {
                            decoder.begin(stringify!($field));
                            Value::decode(decoder, (null_versions!($($null_versions)?)).contains(&version))?
                        } else {
                            default!($($default)?)
                        },)*
                    };
                    if decoder.flexible() {
                        decoder.begin("tagged fields");
                        for _ in 0..decoder.unsigned_varint()? {
                            let tagged = decoder.open_tagged()?;
                            match tagged.tag {
                                $($($tag if ($versions).contains(&version) => {
                                    decoder.begin(stringify!($field));
                                    value.$field = Value::decode(decoder, true)?;
                                })?)*
                                _ => decoder.skip_tagged(),
                            }
                            decoder.close_tagged(tagged)?;
                        }
                    }
                    Ok(value)
                }

                fn encode(&self, encoder: &mut Encoder, _nullable: bool) -> Result<(), EncodeError> {
                    let version = encoder.version();
                    let mut tagged_fields = 0;
                    // Each field leaves a flag of its own name: whether it is to be written as a tagged field.
                    $(let $field = {
                        let in_version = ($versions).contains(&version);
                        if in_version && !is_tagged!($($tag)?) {
                            encoder.begin(stringify!($field));
                            let nullable = (null_versions!($($null_versions)?)).contains(&version);
                            self.$field.encode(encoder, nullable)?;
                            false
                        } else if in_version || !is_ignorable!($($ignorable)?) {
                            let default: $kind = default!($($default)?);
                            let is_set = self.$field != default;
                            if is_set && !in_version {
                                encoder.begin(stringify!($field));
                                return Err(encoder.not_in_version());
                            }
                            tagged_fields += u32::from(is_set);
                            is_set
                        } else {
                            false
                        }
                    };)*
                    if encoder.flexible() {
                        encoder.unsigned_varint(tagged_fields);
                        $($(if $field {
                            encoder.begin(stringify!($field));
                            encoder.tagged($tag, |encoder| self.$field.encode(encoder, true))?;
                        })?)*
                    }
                    Ok(())
                }
            }

            impl NullableValue for $structure {
                fn decode_nullable(decoder: &mut Decoder<'_>) -> Result<Option<Self>, DecodeError> {
                    if decoder.i8()? < 0 { Ok(None) } else { Self::decode(decoder, false).map(Some) }
                }

                fn encode_present(encoder: &mut Encoder) {
                    encoder.put(&[1]);
                }

                fn encode_null(encoder: &mut Encoder) {
                    encoder.put(&(-1i8).to_be_bytes());
                }
            }

            #[cfg(test)]
            impl $crate::sample::Sample for $structure {
                fn sample(source: &mut $crate::sample::Source, _nullable: bool) -> Self {
                    let version = source.version();
                    Self {
                        $($field: if ($versions).contains(&version) {
                            let nullable = (null_versions!($($null_versions)?)).contains(&version);
                            $crate::sample::Sample::sample(source, nullable)
                        } else {
                            default!($($default)?)
                        },)*
                    }
                }

                fn sparse(default: Self, version: i16) -> Self {
                    Self {
                        $($field: if ($versions).contains(&version) {
                            $crate::sample::Sample::sparse(default.$field, version)
                        } else {
                            default.$field
                        },)*
                    }
                }

                fn describe(version: i16, description: &mut String) {
                    description.push('{');
                    for tagged in [false, true] {
                        $(if ($versions).contains(&version)
                            && is_tagged!($($tag)?) == tagged
                            && $crate::message::is_kafkas([$($tag)?])
                        {
                            let nullable = (null_versions!($($null_versions)?)).contains(&version);
                            $(description.push_str(stringify!($tag));)?
                            $crate::sample::describe_field::<$kind>(
                                stringify!($field), version, nullable, description);
                        })*
                    }
                    $(if !($versions).contains(&version) {
                        let mark = if is_ignorable!($($ignorable)?) { '~' } else { '!' };
                        description.push(mark);
                        description.push_str(stringify!($field));
                        description.push(' ');
                    })*
                    description.push('}');
                }
            }
        };
    };
}

/// Whether a field's tag, if it has one, is among those that Kafka gives out; extensions of ours lie far above.
#[cfg(test)]
pub(crate) fn is_kafkas<const N: usize>(tag: [u32; N]) -> bool {
    const OWN_FROM: u32 = 10_000;
    tag.iter().all(|tag| *tag < OWN_FROM)
}

macro_rules! default {
    () => {
        Default::default()
    };
    ($default:expr) => {
        $default
    };
}

macro_rules! is_tagged {
    () => {
        false
    };
    ($tag:literal) => {
        true
    };
}

macro_rules! is_ignorable {
    () => {
        false
    };
    (ignorable) => {
        true
    };
}

macro_rules! null_versions {
    () => {
        ..
    };
    ($versions:expr) => {
        $versions
    };
}

pub(crate) use {default, is_ignorable, is_tagged, message, null_versions, structure};
