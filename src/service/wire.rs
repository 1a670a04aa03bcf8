//! Messages in the JSON form of Connect: canonical `ProtoJSON`, read by reflection
//! over the compiled descriptor and written by generated code ([`super::json`]).

use std::sync::LazyLock;

use bytes::{Buf, BufMut};
use prost::encoding::{DecodeContext, WireType};
use prost::{DecodeError, Message, Name};
use prost_reflect::{
    DescriptorPool, DeserializeOptions, DynamicMessage, FieldDescriptor, Kind, MessageDescriptor,
    Value,
};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::Value as Json;
use serde_json::value::RawValue;
use serde_path_to_error::{Path, Segment};

use super::rules::Violation;
use crate::proto::FILE_DESCRIPTOR_SET;

/// Everything that is compiled in, for whoever asks about a message or method.
pub static DESCRIPTORS: LazyLock<DescriptorPool> = LazyLock::new(|| {
    DescriptorPool::decode(FILE_DESCRIPTOR_SET).expect("build.rs compiled this descriptor")
});

/// A message as it travels in the Connect protocol: its binary form is that of
/// the message, its JSON form is canonical.
///
/// JSON that is well-formed but not of the message's types gives a value of
/// [`Self::malformed`] instead of a failure, so that the answer can name the
/// field as it does for any other bad value.
#[derive(Debug, Default)]
pub struct Wire<T> {
    /// The message.
    pub message: T,
    /// What was not of its type, if anything; then the message is empty.
    pub malformed: Option<Violation>,
}

impl<T> Wire<T> {
    /// Wraps a message.
    pub const fn new(message: T) -> Self {
        Self { message, malformed: None }
    }
}

impl<T: Name + Default> Wire<T> {
    /// Lets the query of a POST speak for the message's `pagination`.
    ///
    /// The SDKs of the generator that Ona used until 0.12 page by `?token=` and
    /// `?pageSize=` beside a JSON body; where both name a value, the query wins.
    pub fn read_pagination(&mut self, query: &str) {
        let Some(field) = descriptor::<T>().get_field_by_name("pagination") else { return };
        let mut request = dynamic(&self.message);
        let Value::Message(pagination) = request.get_field_mut(&field) else { return };
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            match &*name {
                "token" => pagination.set_field_by_name("token", Value::String(value.into_owned())),
                "pageSize" | "page_size" => match value.parse() {
                    Ok(size) => pagination.set_field_by_name("page_size", Value::I32(size)),
                    Err(_) => {
                        self.malformed =
                            Some(Violation::new("pagination.page_size", "must be a whole number"));
                    }
                },
                _ => {}
            }
        }
        self.message = concrete(&request);
    }
}

impl<T: Serialize> Serialize for Wire<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.message.serialize(serializer)
    }
}

impl<'de, T: Name + Default> Deserialize<'de> for Wire<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // First any JSON, so that an error of the second pass is one of types.
        let json = Box::<RawValue>::deserialize(deserializer)?;
        if json.get().trim_start().starts_with('{') {
            Ok(Self::from_json(json.get()))
        } else {
            Err(de::Error::custom("the message must be a JSON object"))
        }
    }
}

impl<T: Name + Default> Wire<T> {
    fn from_json(json: &str) -> Self {
        // Canonical readers take durations with a plus sign; ours does not.
        if json.contains("\"+")
            && let Ok(mut value) = serde_json::from_str(json)
        {
            strip_plus_of_durations(&descriptor::<T>(), &mut value);
            return Self::from_plain_json(&value.to_string());
        }
        Self::from_plain_json(json)
    }

    fn from_plain_json(json: &str) -> Self {
        let options = DeserializeOptions::new().deny_unknown_fields(false);
        let mut parser = serde_json::Deserializer::from_str(json);
        let message = descriptor::<T>();
        match DynamicMessage::deserialize_with_options(message, &mut parser, &options) {
            Ok(message) => Self::new(concrete(&message)),
            Err(error) => {
                // Once more, to see where.
                let mut track = serde_path_to_error::Track::new();
                let mut parser = serde_json::Deserializer::from_str(json);
                let tracked = serde_path_to_error::Deserializer::new(&mut parser, &mut track);
                let _same =
                    DynamicMessage::deserialize_with_options(descriptor::<T>(), tracked, &options);
                let description = format!("is not of its type: {error}");
                let mut field = proto_path(descriptor::<T>(), &track.path());
                if field.is_empty() {
                    field = twice(&error.to_string()).unwrap_or_default();
                }
                Self { message: T::default(), malformed: Some(Violation::new(field, description)) }
            }
        }
    }
}

/// Delegates to the message, so that its binary form stays what it is.
impl<T: Message> Message for Wire<T> {
    fn encode_raw(&self, buf: &mut impl BufMut) {
        self.message.encode_raw(buf);
    }

    fn merge_field(
        &mut self,
        tag: u32,
        wire_type: WireType,
        buf: &mut impl Buf,
        context: DecodeContext,
    ) -> Result<(), DecodeError> {
        self.message.merge_field(tag, wire_type, buf, context)
    }

    fn encoded_len(&self) -> usize {
        self.message.encoded_len()
    }

    fn clear(&mut self) {
        self.message.clear();
    }
}

fn descriptor<T: Name>() -> MessageDescriptor {
    DESCRIPTORS
        .get_message_by_name(&T::full_name())
        .expect("every generated message is in the descriptor that it was generated from")
}

fn dynamic<T: Name>(message: &T) -> DynamicMessage {
    DynamicMessage::decode(descriptor::<T>(), message.encode_to_vec().as_slice())
        .expect("a message reads what it wrote")
}

fn concrete<T: Message + Default>(message: &DynamicMessage) -> T {
    T::decode(message.encode_to_vec().as_slice()).expect("a message reads what it wrote")
}

fn strip_plus_of_durations(message: &MessageDescriptor, value: &mut Json) {
    let Json::Object(entries) = value else { return };
    for (name, value) in entries {
        let Some(Kind::Message(nested)) = field(message, name).map(|field| field.kind()) else {
            continue;
        };
        match value {
            Json::String(text) if nested.full_name() == "google.protobuf.Duration" => {
                if text
                    .strip_prefix('+')
                    .is_some_and(|rest| rest.starts_with(|next: char| next.is_ascii_digit()))
                {
                    text.remove(0);
                }
            }
            Json::Array(items) => {
                for item in items {
                    strip_plus_of_durations(&nested, item);
                }
            }
            value => strip_plus_of_durations(&nested, value),
        }
    }
}

/// The optional field that is given twice, which the reader knows only by the
/// oneof that stands for its presence.
fn twice(error: &str) -> Option<String> {
    let (_, rest) = error.split_once("oneof '_")?;
    rest.split_once('\'').map(|(name, _)| name.to_owned())
}

/// The field that a client calls `name` in JSON.
fn field(message: &MessageDescriptor, name: &str) -> Option<FieldDescriptor> {
    message.get_field_by_json_name(name).or_else(|| message.get_field_by_name(name))
}

/// The path of `.proto` names for a path of the JSON names that a client used.
fn proto_path(root: MessageDescriptor, path: &Path) -> String {
    let mut message = Some(root);
    let names = path.iter().map_while(|segment| {
        let Segment::Map { key } = segment else { return None };
        let field = field(&message.take()?, key)?;
        message = field.kind().as_message().cloned();
        Some(field.name().to_owned())
    });
    names.collect::<Vec<_>>().join(".")
}
