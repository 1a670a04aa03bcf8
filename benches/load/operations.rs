//! What is measured.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::directory::{Directory, Person};
use crate::options::Options;
use crate::rpc::Method;
use crate::subject::{About, Subject};
use crate::world::{Draw, Spare, World};

/// How a request travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Protocol {
    Scim,
    ConnectJson1,
    ConnectJson2,
    ConnectBinary,
    Grpc,
}

impl Protocol {
    pub const RPC: [Self; 4] =
        [Self::ConnectJson1, Self::ConnectJson2, Self::ConnectBinary, Self::Grpc];

    const fn name(self) -> &'static str {
        match self {
            Self::Scim => "scim",
            Self::ConnectJson1 => "connect-json-http1",
            Self::ConnectJson2 => "connect-json-http2",
            Self::ConnectBinary => "connect-binary",
            Self::Grpc => "grpc",
        }
    }

    const fn title(self) -> &'static str {
        match self {
            Self::Scim => "SCIM",
            Self::ConnectJson1 => "Connect JSON, HTTP/1.1",
            Self::ConnectJson2 => "Connect JSON, HTTP/2",
            Self::ConnectBinary => "Connect binary, HTTP/2",
            Self::Grpc => "gRPC",
        }
    }

    pub const fn is_http2(self) -> bool {
        matches!(self, Self::ConnectJson2 | Self::ConnectBinary | Self::Grpc)
    }
}

/// What a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Action {
    CreateUser,
    GetUser,
    FindByUserName,
    FindByExternalId,
    /// Switches somebody off, and on again.
    PatchUser,
    /// `startIndex=1`
    FirstPage,
    /// Behind anybody, by cursor.
    PageBehind,
    /// Puts so many into a group of this size, and out again.
    Members {
        size: u64,
        count: u64,
    },
    RenameGroup {
        size: u64,
    },
    /// Without its members.
    GetGroup {
        size: u64,
    },
    Rpc(Method),
}

/// One line of the report.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Operation {
    /// What `--only` looks at.
    pub name: String,
    pub title: String,
    pub action: Action,
    pub protocol: Protocol,
    /// How many times the sum of its ceilings it may cost.
    pub target: Option<f64>,
    pub connections: u64,
}

/// How many entries a page of the directory has.
pub const PAGE: u64 = 100;
/// How many configurations a list shows where the client does not say.
const CONFIGURATIONS: i64 = 25;

impl Operation {
    fn scim(name: &str, title: &str, action: Action, target: Option<f64>) -> Self {
        let connections = if matches!(action, Action::Members { count: 2.., .. }) { 1 } else { 16 };
        Self {
            name: name.to_owned(),
            title: title.to_owned(),
            action,
            protocol: Protocol::Scim,
            target,
            connections,
        }
    }

    fn rpc(method: Method, protocol: Protocol) -> Self {
        let target = match method {
            Method::Get => Some(1.3),
            Method::Create => Some(1.5),
            _ => None,
        };
        Self {
            name: format!("{}-{}", method.name(), protocol.name()),
            title: format!("{} ({})", method.title(), protocol.title()),
            action: Action::Rpc(method),
            protocol,
            target,
            connections: 16,
        }
    }

    /// All that can be measured in this directory; the methods that have
    /// nothing to do with its size, all of them only where `all_methods`.
    pub fn all(options: &Options, directory: &Directory, all_methods: bool) -> Vec<Self> {
        let mut all = vec![
            Self::scim("user-get", "GET a user by id", Action::GetUser, Some(1.3)),
            Self::scim("user-by-name", "`userName eq`", Action::FindByUserName, Some(1.3)),
            Self::scim("user-by-external-id", "`externalId eq`", Action::FindByExternalId, None),
            Self::scim("user-create", "create a user", Action::CreateUser, Some(1.5)),
            Self::scim("user-patch", "PATCH `active`", Action::PatchUser, Some(1.5)),
            Self::scim("page-first", "first page of 100 users", Action::FirstPage, Some(1.5)),
            Self::scim("page-cursor", "any page of 100, by cursor", Action::PageBehind, Some(1.5)),
        ];
        for size in directory.sizes_with_room(16) {
            let (one, rename) = (Action::Members { size, count: 1 }, Action::RenameGroup { size });
            let read = Action::GetGroup { size };
            let of = |what: &str| format!("{what}, group of {}", grouped(size));
            all.push(Self::scim(
                &format!("member-{size}"),
                &of("add or remove a member"),
                one,
                None,
            ));
            all.push(Self::scim(&format!("rename-{size}"), &of("rename"), rename, None));
            all.push(Self::scim(
                &format!("group-get-{size}"),
                &of("GET without members"),
                read,
                None,
            ));
        }
        if let Some(size) = directory.sizes_with_room(1_000).last() {
            let action = Action::Members { size, count: 1_000 };
            let title = format!("add or remove 1,000 members, group of {}", grouped(size));
            all.push(Self::scim("members-1000", &title, action, None));
        }
        for protocol in Protocol::RPC {
            all.push(Self::rpc(Method::Get, protocol));
        }
        if all_methods {
            all.extend(Protocol::RPC.map(|protocol| Self::rpc(Method::List, protocol)));
            for method in [Method::Create, Method::Update, Method::Regenerate, Method::Delete] {
                let protocols = [Protocol::ConnectJson1, Protocol::Grpc];
                all.extend(protocols.map(|protocol| Self::rpc(method, protocol)));
            }
        }
        all.retain(|operation| options.wants(&operation.name));
        all
    }

    /// Whether the size of the directory could matter to it, and nothing else.
    pub const fn is_about_directory(&self) -> bool {
        match self.action {
            Action::CreateUser
            | Action::GetUser
            | Action::FindByUserName
            | Action::FindByExternalId
            | Action::PatchUser
            | Action::FirstPage
            | Action::PageBehind => true,
            Action::Members { .. }
            | Action::RenameGroup { .. }
            | Action::GetGroup { .. }
            | Action::Rpc(_) => false,
        }
    }

    /// How many requests belong together: what one does, the next undoes.
    pub const fn phases(&self) -> usize {
        match self.action {
            Action::PatchUser | Action::Members { .. } => 2,
            _ => 1,
        }
    }

    /// Draws what the next request is about.
    pub fn subject(&self, world: &World, draw: &mut Draw) -> Subject {
        let directory = &world.directory;
        let of = |person| Subject::of(world.configuration, person);
        match self.action {
            Action::CreateUser => of(draw.new_person(directory)).made_now(),
            Action::GetUser | Action::FindByUserName | Action::FindByExternalId => {
                of(draw.person(directory))
            }
            Action::PatchUser => of(draw.own_person(directory)),
            Action::FirstPage => page(of(Person(0)), directory, 0),
            Action::PageBehind => {
                // One more tells whether there is a next page.
                let person = draw.person_before(directory, PAGE + 1);
                let subject = page(of(person), directory, person.0 + 1);
                Subject { resources_at_most: subject.resources_at_most + 1, ..subject }
            }
            Action::Members { size, count } => {
                let team = draw.team(directory, size);
                let outsiders = draw.outsiders(directory, team, count);
                let many: Vec<_> = outsiders.iter().map(|person| person.id()).collect();
                Subject { about: About::Members, team: Some(team), many, ..of(outsiders[0]) }
            }
            Action::RenameGroup { size } | Action::GetGroup { size } => Subject {
                about: About::Group,
                team: Some(draw.team(directory, size)),
                revision: 1 + draw.number() % 1_000_000_000,
                ..of(Person(0))
            },
            Action::Rpc(method) => {
                let spare =
                    if method == Method::Delete { draw.doomed(world) } else { draw.spare() };
                rpc(method, spare, draw.number())
            }
        }
    }

    /// The subject as one of several requests wants it.
    pub fn turn(&self, subject: &mut Subject, phase: usize) {
        let first = phase == 0;
        match self.action {
            Action::PatchUser => subject.flag = !first,
            Action::Members { count, .. } => {
                let count = i64::try_from(count).expect("a small number");
                subject.more_members = if first { count } else { -count };
            }
            _ => {}
        }
    }
}

/// A list that begins with the person of this number.
fn page(mut subject: Subject, directory: &Directory, first: u64) -> Subject {
    let numbers = first..directory.users.min(first + PAGE);
    subject.many = numbers.map(|number| Person(number).id()).collect();
    subject.resources_at_most = i64::try_from(PAGE).expect("a small number");
    subject
}

fn rpc(method: Method, spare: Spare, number: u64) -> Subject {
    let mut subject = Subject::of(spare.id(), Person(0));
    subject.about = About::Configuration;
    subject.revision = number;
    match method {
        Method::List => subject.configurations_at_most = CONFIGURATIONS + 1,
        Method::Create | Method::Regenerate => {
            let mut token = [0; 32];
            token[..8].copy_from_slice(&number.to_be_bytes());
            token[8..24].copy_from_slice(Uuid::new_v4().as_bytes());
            subject.new_token = Some(token);
        }
        Method::Get | Method::Update | Method::Delete => {}
    }
    match method {
        Method::Create => Subject { configuration: Uuid::new_v4(), ..subject }.made_now(),
        // `token_expires_at = token_lifetime + $1`
        Method::Regenerate => Subject { lifetime: subject.now, ..subject },
        _ => subject,
    }
}

/// `100,000`
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
