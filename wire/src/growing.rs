//! How messages grow from release to release (I14): records that end in a tail, values that may be of a later release, and
//! the closed enums of requests and replies. `docs/decisions/0017-growing-records.md` says why.
//!
//! - `record!`: a struct. Its bytes end in a tail of bytes with a length. Fields that a later release adds
//!   stand in the tail, one after the other. A peer that does not know them skips the tail. A peer that knows more than the tail holds takes
//!   the default of the field.
//! - `value!`: an enum without data, like a state or a role. A number that this release does not know becomes `Other(n)`.
//! - `choice!`: an enum whose variants may have data. Its bytes carry the length of the data, so that an unknown one can be skipped.
//! - `closed!`: the enums of requests and replies. Each variant carries one record, or another closed enum.
//!
//! The test `next_release.rs` includes this file and all messages once more, as the next release would have them.

use crate::codec::{Bincode, Codec, Malformed};
use serde::de::{DeserializeOwned, Error as _, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What follows the fields that a record had in its first release.
#[derive(Default)]
pub struct Tail {
    bytes: Vec<u8>,
    /// How much of it has been read.
    read: usize,
}

impl Tail {
    /// Adds a field. A record without later fields never comes here, and its tail needs no memory.
    pub fn put<T: Serialize>(&mut self, field: &T) -> Result<(), Malformed> {
        Bincode::encode(field, &mut self.bytes)
    }

    /// The next field, or its default where the sender is of a release that does not have it.
    pub fn take<T: DeserializeOwned + Default>(&mut self) -> Result<T, Malformed> {
        if self.read == self.bytes.len() { Ok(T::default()) } else { self.required() }
    }

    /// The next field, which the sender always has.
    pub fn required<T: DeserializeOwned>(&mut self) -> Result<T, Malformed> {
        let (field, bytes) = Bincode::decode_first(&self.bytes[self.read..])?;
        self.read += bytes;
        Ok(field)
    }
}

impl Serialize for Tail {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.bytes)
    }
}

impl<'de> Deserialize<'de> for Tail {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TailVisitor;
        impl Visitor<'_> for TailVisitor {
            type Value = Tail;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("the tail of a record")
            }
            fn visit_byte_buf<E>(self, bytes: Vec<u8>) -> Result<Tail, E> {
                Ok(Tail { bytes, read: 0 })
            }
        }
        deserializer.deserialize_byte_buf(TailVisitor)
    }
}

/// The next element of a record, which is always there: records have no length of their own.
pub fn element<'de, T: Deserialize<'de>, A: SeqAccess<'de>>(elements: &mut A) -> Result<T, A::Error> {
    elements.next_element()?.ok_or_else(|| A::Error::custom("a record ends early"))
}

/// What a variant of a closed enum may carry: a growing record, or a closed enum.
pub trait Carried {
    /// The number of the first variant, on the way down from here, that this release does not know.
    fn unknown(bytes: &[u8]) -> Option<UnknownVariant>;
}

/// A variant of a later release.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnknownVariant {
    /// The enum that has no such variant here.
    pub of: &'static str,
    pub number: u32,
}

/// A record that may get more fields, in the order in which releases add them:
///
/// ```text
/// record! {
///     /// What it is.
///     pub struct AreaAdd {
///         pub name: String,
///     } later {
///         /// Since release 0.2.0.
///         pub read_only: bool,
///     }
/// }
/// ```
///
/// A field after `later` is one that release 0.1.0 does not know. Its type has a default, which means "the sender does not know
/// of it". The order never changes, and no field goes away.
macro_rules! growing {
    (
        $(#[$attribute:meta])*
        pub struct $name:ident {
            $($(#[$field_attribute:meta])* pub $field:ident : $type:ty),* $(,)?
        } $(later {
            $($(#[$later_attribute:meta])* pub $later:ident : $later_type:ty),* $(,)?
        })?
    ) => {
        $(#[$attribute])*
        #[derive(Debug, Clone, PartialEq)]
        pub struct $name {
            $($(#[$field_attribute])* pub $field: $type,)*
            $($($(#[$later_attribute])* pub $later: $later_type,)*)?
        }

        const _: () = {
            use serde::ser::{Error as _, SerializeTuple};
            use $crate::growing::{Carried, Tail, UnknownVariant, element};

            /// The fields of the first release, and the tail.
            const ELEMENTS: usize = [$(stringify!($field),)* "tail"].len();

            impl serde::Serialize for $name {
                fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                    #[allow(unused_mut)]
                    let mut tail = Tail::default();
                    $($(tail.put(&self.$later).map_err(S::Error::custom)?;)*)?
                    let mut elements = serializer.serialize_tuple(ELEMENTS)?;
                    $(elements.serialize_element(&self.$field)?;)*
                    elements.serialize_element(&tail)?;
                    let _ = S::Error::custom::<&str>; // used by later fields
                    elements.end()
                }
            }

            impl<'de> serde::Deserialize<'de> for $name {
                fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                    struct Visitor;
                    impl<'de> serde::de::Visitor<'de> for Visitor {
                        type Value = $name;
                        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                            f.write_str(stringify!($name))
                        }
                        fn visit_seq<A: serde::de::SeqAccess<'de>>(
                            self,
                            mut elements: A,
                        ) -> Result<$name, A::Error> {
                            $(let $field = element(&mut elements)?;)*
                            #[allow(unused_mut, unused_variables)]
                            let mut tail: Tail = element(&mut elements)?;
                            $($(let $later = tail.take().map_err(serde::de::Error::custom)?;)*)?
                            Ok($name { $($field,)* $($($later,)*)? })
                        }
                    }
                    deserializer.deserialize_tuple(ELEMENTS, Visitor)
                }
            }

            impl Carried for $name {
                fn unknown(_: &[u8]) -> Option<UnknownVariant> {
                    None
                }
            }
        };
    };
}

/// An enum without data that occurs as a value. Each variant has the name by which people, scripts and logs know it: that is what it
/// is in text formats. New variants go to the end.
macro_rules! value {
    (
        $(#[$attribute:meta])*
        pub enum $name:ident {
            $($(#[$variant_attribute:meta])* $variant:ident = $text:literal),* $(,)?
        }
    ) => {
        $(#[$attribute])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $name {
            $($(#[$variant_attribute])* $variant,)*
            /// One that a later release has, by its number.
            Other(u32),
        }

        impl $name {
            /// Those that this release knows, in the order of their numbers.
            pub const KNOWN: &[Self] = &[$(Self::$variant),*];

            /// Stable: for JSON, logs and people. `unknown (7)` where a later release is the only one to know it.
            pub fn name(self) -> std::borrow::Cow<'static, str> {
                match self {
                    $(Self::$variant => $text.into(),)*
                    Self::Other(number) => format!("unknown ({number})").into(),
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(&self.name())
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                if serializer.is_human_readable() {
                    return serializer.serialize_str(&self.name()); // in files and JSON
                }
                let number = match self {
                    Self::Other(number) => *number,
                    known => Self::KNOWN.iter().position(|one| one == known).unwrap_or_default() as u32,
                };
                serializer.serialize_u32(number)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                if deserializer.is_human_readable() {
                    let name = String::deserialize(deserializer)?;
                    let known = Self::KNOWN.iter().find(|value| value.name() == name);
                    return Ok(known.copied().unwrap_or(Self::Other(u32::MAX)));
                }
                let number = u32::deserialize(deserializer)?;
                Ok(Self::KNOWN.get(number as usize).copied().unwrap_or(Self::Other(number)))
            }
        }
    };
}

/// An enum whose variants may have data. New variants go to the end, and get the next number.
macro_rules! choice {
    (
        $(#[$attribute:meta])*
        pub enum $name:ident {
            $($(#[$variant_attribute:meta])* $variant:ident $(($data:ty))? = $number:literal),* $(,)?
        }
    ) => {
        $(#[$attribute])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $name {
            $($(#[$variant_attribute])* $variant $(($data))?,)*
            /// One that a later release has, by its number. Its data is skipped.
            Other(u32),
        }

        const _: () = {
            use serde::ser::{Error as _, SerializeTuple};
            use $crate::growing::{Tail, element};

            impl serde::Serialize for $name {
                fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                    let mut data = Tail::default();
                    let number: u32 = match self {
                        $(choice!(@pattern $variant inner $($data)?) => {
                            $(data.put::<$data>(inner).map_err(S::Error::custom)?;)?
                            $number
                        })*
                        Self::Other(number) => *number,
                    };
                    let mut elements = serializer.serialize_tuple(2)?;
                    elements.serialize_element(&number)?;
                    elements.serialize_element(&data)?;
                    elements.end()
                }
            }

            impl<'de> serde::Deserialize<'de> for $name {
                fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                    struct Visitor;
                    impl<'de> serde::de::Visitor<'de> for Visitor {
                        type Value = $name;
                        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                            f.write_str(stringify!($name))
                        }
                        fn visit_seq<A: serde::de::SeqAccess<'de>>(
                            self,
                            mut elements: A,
                        ) -> Result<$name, A::Error> {
                            let number: u32 = element(&mut elements)?;
                            let mut data: Tail = element(&mut elements)?;
                            Ok(match number {
                                $($number => $name::$variant $((
                                    data.required::<$data>().map_err(serde::de::Error::custom)?
                                ))?,)*
                                other => $name::Other(other),
                            })
                        }
                    }
                    deserializer.deserialize_tuple(2, Visitor)
                }
            }
        };
    };
    (@pattern $variant:ident $inner:ident $data:ty) => { Self::$variant($inner) };
    (@pattern $variant:ident $inner:ident) => { Self::$variant };
}

/// A request or reply enum: every variant carries one record, or another closed enum. New variants go to the end.
macro_rules! closed {
    (
        $(#[$attribute:meta])*
        pub enum $name:ident {
            $($(#[$variant_attribute:meta])* $variant:ident($record:ty)),* $(,)?
        }
    ) => {
        $(#[$attribute])*
        #[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
        pub enum $name {
            $($(#[$variant_attribute])* $variant($record),)*
        }

        impl $name {
            /// The names of the variants, in the order of their numbers.
            pub const VARIANTS: &[&str] = &[$(stringify!($variant)),*];

            pub fn variant(&self) -> &'static str {
                match self {
                    $(Self::$variant(_) => stringify!($variant),)*
                }
            }
        }

        impl $crate::growing::Carried for $name {
            fn unknown(bytes: &[u8]) -> Option<$crate::growing::UnknownVariant> {
                use $crate::codec::{Bincode, Codec};
                use $crate::growing::{Carried, UnknownVariant};
                let (number, read) = Bincode::decode_first::<u32>(bytes).ok()?;
                let inside: &[fn(&[u8]) -> Option<UnknownVariant>] = &[$(<$record as Carried>::unknown),*];
                match inside.get(number as usize) {
                    Some(unknown) => unknown(&bytes[read..]),
                    None => Some(UnknownVariant { of: stringify!($name), number }),
                }
            }
        }
    };
}
