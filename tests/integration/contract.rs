//! Our compiled contract against the one inside Ona's published SDK, fact by
//! fact: what clients rely on is theirs to say, and must not drift.
//!
//! What is compared is what travels or what a client generator reads: paths,
//! numbers, types, presence, JSON names, rules. Comments, file options and
//! options of our own are not.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use prost_reflect::{
    DescriptorPool, DynamicMessage, EnumDescriptor, FieldDescriptor, Kind, MessageDescriptor,
    MethodDescriptor, Value,
};

use crate::{clients, harness};

/// The part of the published contract that is ours too.
const METHODS: [&str; 7] = [
    "/gitpod.v1.IdentityService/GetAuthenticatedIdentity",
    "/gitpod.v1.OrganizationService/CreateSCIMConfiguration",
    "/gitpod.v1.OrganizationService/DeleteSCIMConfiguration",
    "/gitpod.v1.OrganizationService/GetSCIMConfiguration",
    "/gitpod.v1.OrganizationService/ListSCIMConfigurations",
    "/gitpod.v1.OrganizationService/RegenerateSCIMToken",
    "/gitpod.v1.OrganizationService/UpdateSCIMConfiguration",
];

/// The one message whose name differs, which no wire format shows: theirs, ours.
const RENAMED: (&str, &str) = ("gitpod.v1.SCIMConfiguration", "gitpod.v1.ScimConfiguration");

const PACKAGE: &str = "gitpod.v1";

/// Prints the descriptors inside the SDK and everything they import.
const PRINT_DESCRIPTORS: &str = "
import sys
from google.protobuf import descriptor_pb2
from gitpod.v1 import identity_pb2, organization_pb2

files = {}
def add(file):
    if file.name not in files:
        for dependency in file.dependencies:
            add(dependency)
        files[file.name] = file.serialized_pb

add(identity_pb2.DESCRIPTOR)
add(organization_pb2.DESCRIPTOR)
file_set = descriptor_pb2.FileDescriptorSet()
for file in files.values():
    file_set.file.add().ParseFromString(file)
sys.stdout.buffer.write(file_set.SerializeToString())
";

#[test]
fn methods_have_the_paths_streaming_and_idempotency_of_the_published_ones() {
    let Some((ours, theirs)) = contracts() else { return };
    assert_eq!(differences(&ours.methods, &theirs.methods), [""; 0]);
}

#[test]
fn fields_and_enums_are_the_published_ones_but_for_the_unlinking_rule_of_update() {
    let Some((ours, theirs)) = contracts() else { return };
    let field = "gitpod.v1.UpdateSCIMConfigurationRequest.sso_configuration_id";
    let differences = differences(&ours.types, &theirs.types);
    let [cel, uuid] = differences.as_slice() else { panic!("{differences:#?}") };
    assert!(cel.starts_with(&format!("{field} rule cel: ours ")), "{cel}");
    assert!(cel.contains("must be a UUID, or empty to unlink"), "{cel}");
    assert!(cel.ends_with(", theirs absent"), "{cel}");
    assert_eq!(*uuid, format!("{field} rule string.uuid: ours absent, theirs Bool(true)"));
}

#[test]
fn only_the_configuration_message_has_a_name_of_our_own() {
    let Some((ours, theirs)) = contracts() else { return };
    let names: Vec<_> = ours.names.symmetric_difference(&theirs.names).collect();
    assert_eq!(names, [RENAMED.0, RENAMED.1]);
}

/// What a contract says, one fact an entry: its subject and what holds of it.
type Facts = BTreeMap<String, String>;

/// The methods that clients call, and every type they can reach.
#[derive(Default)]
struct Contract {
    methods: Facts,
    types: Facts,
    /// The messages among the types, by the names they really have.
    names: BTreeSet<String>,
}

/// Ours and the published one, or `None` where there is no SDK to ask.
fn contracts() -> Option<(Contract, Contract)> {
    let python = match clients::python_sdk_1() {
        Ok(python) => python,
        Err(reason) => {
            harness::skip(&reason.to_string());
            return None;
        }
    };
    let output = Command::new(python)
        .args(["-c", PRINT_DESCRIPTORS])
        .output()
        .expect("the interpreter was found a moment ago");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let theirs = Contract::read(&output.stdout, |path| METHODS.contains(&path));
    // All of ours, so that a method they do not have is a difference.
    let ours = Contract::read(scimd::proto::FILE_DESCRIPTOR_SET, |_| true);
    Some((ours, theirs))
}

impl Contract {
    /// Reads a serialized `FileDescriptorSet`, from the methods that `wanted`
    /// takes by their paths.
    fn read(descriptor_set: &[u8], wanted: impl Fn(&str) -> bool) -> Self {
        let pool = DescriptorPool::decode(descriptor_set).expect("a compiler made it");
        let mut contract = Self::default();
        let services = pool.services().filter(|service| service.package_name() == PACKAGE);
        for service in services {
            for method in service.methods() {
                let path = format!("/{}/{}", service.full_name(), method.name());
                if wanted(&path) {
                    contract.methods.insert(path, signature(&method));
                    contract.add_message(&method.input());
                    contract.add_message(&method.output());
                }
            }
        }
        contract
    }

    /// Adds what is known of a message, and of all that its fields hold.
    fn add_message(&mut self, message: &MessageDescriptor) {
        // Types of google.protobuf are everybody's.
        if message.package_name() != PACKAGE || !self.names.insert(message.full_name().to_owned()) {
            return;
        }
        // By itself too, because a message may have no fields.
        self.types.insert(renamed(message.full_name()), "message".to_owned());
        for field in message.fields() {
            self.add_field(&field);
            match field.kind() {
                Kind::Message(inner) => self.add_message(&inner),
                Kind::Enum(inner) => self.add_enum(&inner),
                _ => {}
            }
        }
    }

    fn add_field(&mut self, field: &FieldDescriptor) {
        let kind = match field.kind() {
            Kind::Message(message) => renamed(message.full_name()),
            Kind::Enum(enumeration) => enumeration.full_name().to_owned(),
            scalar => format!("{scalar:?}"),
        };
        let subject = format!("{}.{}", renamed(field.parent_message().full_name()), field.name());
        let mut add = |what: &str, value: String| {
            self.types.insert(format!("{subject} {what}"), value);
        };
        add("number", field.number().to_string());
        add("type", kind);
        add("cardinality", format!("{:?}", field.cardinality()));
        add("presence", field.supports_presence().to_string());
        add("optional", field.field_descriptor_proto().proto3_optional().to_string());
        add("JSON name", field.json_name().to_owned());
        for (path, value) in rules(field) {
            add(&format!("rule {path}"), value);
        }
    }

    fn add_enum(&mut self, enumeration: &EnumDescriptor) {
        for value in enumeration.values() {
            let subject = format!("{}.{}", enumeration.full_name(), value.name());
            self.types.insert(subject, value.number().to_string());
        }
    }
}

fn signature(method: &MethodDescriptor) -> String {
    let proto = method.method_descriptor_proto();
    let stream = |streaming| if streaming { "stream " } else { "" };
    format!(
        "({}{}) returns ({}{}), {:?}",
        stream(method.is_client_streaming()),
        renamed(method.input().full_name()),
        stream(method.is_server_streaming()),
        renamed(method.output().full_name()),
        proto.options.clone().unwrap_or_default().idempotency_level(),
    )
}

fn renamed(theirs: &str) -> String {
    if theirs == RENAMED.0 { RENAMED.1.to_owned() } else { theirs.to_owned() }
}

/// The `buf.validate` rules of a field by their paths (`string.max_len`), read
/// with the extension that its own descriptors define: the two files that
/// define it need not look alike, only mean the same. An enum is its number,
/// for the published file has renamed values since.
fn rules(field: &FieldDescriptor) -> Facts {
    let extension = field
        .parent_pool()
        .get_extension_by_name("buf.validate.field")
        .expect("both contracts import it");
    let mut rules = Facts::new();
    let options = field.options();
    if options.has_extension(&extension) {
        let value = options.get_extension(&extension);
        flatten("", value.as_message().expect("the option is a message"), &mut rules);
    }
    rules
}

fn flatten(prefix: &str, message: &DynamicMessage, rules: &mut Facts) {
    // A rule that our subset does not know must not pass unseen.
    assert_eq!(message.unknown_fields().count(), 0, "unknown rules below {prefix:?}");
    for (field, value) in message.fields() {
        let path = format!("{prefix}{}", field.name());
        match value {
            Value::Message(inner) => flatten(&format!("{path}."), inner, rules),
            value => drop(rules.insert(path, format!("{value:?}"))),
        }
    }
}

/// One line for each subject of which the two say something different.
fn differences(ours: &Facts, theirs: &Facts) -> Vec<String> {
    let subjects: BTreeSet<_> = ours.keys().chain(theirs.keys()).collect();
    let absent = "absent".to_owned();
    subjects
        .into_iter()
        .map(|subject| {
            let value = |facts: &Facts| facts.get(subject).unwrap_or(&absent).clone();
            (subject, value(ours), value(theirs))
        })
        .filter(|(_, ours, theirs)| ours != theirs)
        .map(|(subject, ours, theirs)| format!("{subject}: ours {ours}, theirs {theirs}"))
        .collect()
}
