//! I14: this release and the next one understand each other, in both directions, whatever the next one adds.
//!
//! All messages are included here once more, as the next release would have them: each record has one more field, and each value
//! one more variant. Nothing of this is written by hand for a single message: a new message takes part by itself.

// Of the next release only the bytes matter, and clippy looks at the included sources where they are at home.
#![allow(dead_code, clippy::all)]

#[macro_use]
#[path = "../src/growing.rs"]
mod growing;

/// As in `src/lib.rs`, with one more field behind those that are there.
macro_rules! record {
    (
        $(#[$attribute:meta])*
        pub struct $name:ident {
            $($(#[$field_attribute:meta])* pub $field:ident : $type:ty),* $(,)?
        } $(later {
            $($(#[$later_attribute:meta])* pub $later:ident : $later_type:ty),* $(,)?
        })?
    ) => {
        growing! {
            $(#[$attribute])*
            pub struct $name {
                $($(#[$field_attribute])* pub $field: $type,)*
            } later {
                $($($(#[$later_attribute])* pub $later: $later_type,)*)?
                pub added: crate::Added,
            }
        }
    };
}

#[path = "../src/codec.rs"]
mod codec;
#[path = "../src/message/mod.rs"]
mod message;
mod samples;

use gaceta_wire as this;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::DeserializeOwned};
use std::fmt::Debug;

/// The field that the next release adds. What it writes is long enough to be no number by chance.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Added {
    /// The sender does not know of it.
    #[default]
    Absent,
    Present,
}

const ADDED: &str = "what the next release adds";

impl Serialize for Added {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(ADDED) // whatever was read, so that what is written is the next release's
    }
}

impl<'de> Deserialize<'de> for Added {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        assert_eq!(text, ADDED);
        Ok(Self::Present)
    }
}

fn body<T: Serialize>(message: &T) -> Vec<u8> {
    let mut bytes = Vec::new();
    <codec::Bincode as codec::Codec>::encode(message, &mut bytes).expect("a message can be encoded");
    bytes
}

fn understood<T: DeserializeOwned>(name: &str, body: &[u8]) -> T {
    <codec::Bincode as codec::Codec>::decode(body).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// From this release to the next one and back.
fn there_and_back<This, Next>(samples: Vec<samples::Sample<This>>)
where
    This: Serialize + DeserializeOwned + PartialEq + Debug,
    Next: Serialize + DeserializeOwned + Debug,
{
    for samples::Sample { name, message } in samples {
        let next: Next = understood(&name, &body(&message));
        let text = format!("{next:?}");
        assert!(text.contains("added: Absent") && !text.contains("added: Present"), "{name}: {text}");

        let from_next = body(&next);
        assert!(from_next.len() > body(&message).len(), "{name}: the next release says no more");
        assert_eq!(understood::<This>(&name, &from_next), message, "{name}");

        let among_next = format!("{:?}", understood::<Next>(&name, &from_next));
        assert!(among_next.contains("added: Present") && !among_next.contains("added: Absent"), "{name}");
        let records = |text: &str| text.matches(" {").count();
        assert_eq!(
            among_next.matches("added: Present").count(),
            records(&among_next),
            "{name}: {among_next}"
        );
    }
}

#[test]
fn i14_every_record_is_read_by_the_next_release_and_the_other_way_round() {
    there_and_back::<this::Request, message::Request>(samples::requests());
    there_and_back::<this::Reply, message::Reply>(samples::replies());
}

/// Two fields that two releases added: who knows neither, the first, or both.
#[test]
fn i14_fields_of_several_releases_follow_each_other() {
    mod first {
        growing! { pub struct Area { pub name: String } }
    }
    mod second {
        growing! { pub struct Area { pub name: String } later { pub read_only: bool } }
    }
    mod third {
        growing! { pub struct Area { pub name: String } later { pub read_only: bool, pub title: Option<String> } }
    }
    let area = third::Area { name: "news".into(), read_only: true, title: Some("News".into()) };
    let list = body(&vec![area.clone(), area.clone()]);
    assert_eq!(understood::<Vec<third::Area>>("third", &list), [area.clone(), area.clone()]);
    let second = second::Area { name: "news".into(), read_only: true };
    assert_eq!(understood::<Vec<second::Area>>("second", &list), [second.clone(), second.clone()]);
    let first = first::Area { name: "news".into() };
    assert_eq!(understood::<Vec<first::Area>>("first", &list), [first.clone(), first.clone()]);

    let older: third::Area = understood("from the second", &body(&second));
    assert_eq!(older, third::Area { title: None, ..area.clone() });
    let oldest: third::Area = understood("from the first", &body(&first));
    assert_eq!(oldest, third::Area { read_only: false, title: None, ..area.clone() });
    assert_eq!(body(&first).len(), "news".len() + 2, "an empty tail is one byte");

    let mut cut = body(&area);
    cut.pop();
    assert!(<codec::Bincode as codec::Codec>::decode::<third::Area>(&cut).is_err(), "a tail that ends early");
}

/// A later release's value, alone and inside a list, with whatever follows it.
#[test]
fn i14_values_of_a_later_release_are_other() {
    mod next {
        value! {
            pub enum NodeState {
                Announced = "announced",
                Live = "live",
                Out = "out",
                Left = "left",
                Asleep = "asleep",
            }
        }
        choice! {
            pub enum Keep {
                Forever = 0,
                Limit(u64) = 1,
                Default = 2,
                Between((u64, u64)) = 3,
                Never = 4,
            }
        }
    }
    let states = [next::NodeState::Out, next::NodeState::Asleep, next::NodeState::Live];
    let states: (Vec<this::NodeState>, u8) = understood("states", &body(&(states.to_vec(), 7_u8)));
    use this::NodeState::{Live, Other, Out};
    assert_eq!(states, (vec![Out, Other(4), Live], 7));
    assert_eq!(states.0[1].to_string(), "unknown (4)");
    assert_eq!(body(&states.0), body(&vec![2_u32, 4, 1]), "and goes on as it came");

    let keeps =
        vec![next::Keep::Limit(5), next::Keep::Between((5, 900)), next::Keep::Never, next::Keep::Default];
    let keeps: (Vec<this::Keep>, u8) = understood("keeps", &body(&(keeps, 7_u8)));
    use this::Keep;
    assert_eq!(keeps, (vec![Keep::Limit(5), Keep::Other(3), Keep::Other(4), Keep::Default], 7));

    let code: this::ErrorCode = understood("a code", &body(&1_000_u32));
    assert_eq!((code.to_string().as_str(), code.is_retryable()), ("unknown (1000)", false));
}
