//! A user as somebody would keep it who knows nothing of paths and documents.

use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

use super::super::super::testing::ENTERPRISE;

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Email {
    pub value: String,
    pub kind: Option<&'static str>,
    pub primary: Option<bool>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Model {
    title: Option<String>,
    active: Option<bool>,
    given: Option<String>,
    family: Option<String>,
    department: Option<String>,
    manager: Option<String>,
    emails: Vec<Email>,
}

/// Which attribute of one text.
#[derive(Clone, Copy, Debug)]
pub enum Field {
    Title,
    Given,
    Family,
    Department,
    Manager,
}

#[derive(Clone, Debug)]
pub enum Step {
    /// `None` removes; how it is written is a number.
    Set(Field, Option<String>, usize),
    Active(bool, usize),
    RemoveName,
    AddEmails(Vec<Email>, usize),
    ReplaceEmails(Vec<Email>, usize),
    RemoveEmails(Vec<Email>),
    RemoveWhere(&'static str),
    SetWhere(&'static str, String, bool),
}

impl Email {
    fn to_json(&self) -> Value {
        let mut email = json!({ "value": self.value });
        if let Some(kind) = self.kind {
            email["type"] = json!(kind);
        }
        if let Some(primary) = self.primary {
            email["primary"] = json!(primary);
        }
        email
    }

    /// The one that is meant among others: of the same type, or of no type.
    fn find(&self, among: &[Self]) -> Option<usize> {
        let same = |other: &Self| other.value.to_lowercase() == self.value.to_lowercase();
        match self.kind {
            None => among.iter().position(same),
            kind => {
                let typed = among.iter().position(|other| same(other) && other.kind == kind);
                typed.or_else(|| among.iter().position(|one| same(one) && one.kind.is_none()))
            }
        }
    }
}

impl Model {
    /// The document that says the same.
    pub fn to_json(&self) -> Value {
        let mut user = json!({ "userName": "u" });
        let mut put = |place: &[&str], value: Option<Value>| {
            if let Some(value) = value {
                let slot = place.iter().fold(&mut user, |at, name| &mut at[*name]);
                *slot = value;
            }
        };
        put(&["title"], self.title.as_ref().map(|text| json!(text)));
        put(&["active"], self.active.map(|flag| json!(flag)));
        put(&["name", "givenName"], self.given.as_ref().map(|text| json!(text)));
        put(&["name", "familyName"], self.family.as_ref().map(|text| json!(text)));
        put(&[ENTERPRISE, "department"], self.department.as_ref().map(|text| json!(text)));
        put(&[ENTERPRISE, "manager", "value"], self.manager.as_ref().map(|text| json!(text)));
        let emails: Vec<_> = self.emails.iter().map(Email::to_json).collect();
        put(&["emails"], (!emails.is_empty()).then_some(json!(emails)));
        user
    }

    pub fn apply(&mut self, step: &Step) {
        match step {
            Step::Set(field, value, _) => {
                let field = match field {
                    Field::Title => &mut self.title,
                    Field::Given => &mut self.given,
                    Field::Family => &mut self.family,
                    Field::Department => &mut self.department,
                    Field::Manager => &mut self.manager,
                };
                field.clone_from(value);
            }
            Step::Active(flag, _) => self.active = Some(*flag),
            Step::RemoveName => (self.given, self.family) = (None, None),
            Step::AddEmails(added, _) => self.add(added),
            Step::ReplaceEmails(emails, _) => self.emails.clone_from(emails),
            Step::RemoveEmails(listed) => {
                self.emails.retain(|email| {
                    let meant = |other: &Email| {
                        other.value.to_lowercase() == email.value.to_lowercase()
                            && (other.kind.is_none()
                                || email.kind.is_none()
                                || other.kind == email.kind)
                    };
                    !listed.iter().any(meant)
                });
            }
            Step::RemoveWhere(kind) => self.emails.retain(|email| email.kind != Some(*kind)),
            Step::SetWhere(kind, value, _) => {
                let mut found = false;
                for email in self.emails.iter_mut().filter(|email| email.kind == Some(*kind)) {
                    (email.value, found) = (value.clone(), true);
                }
                if !found {
                    let (value, kind) = (value.clone(), Some(*kind));
                    self.emails.push(Email { value, kind, primary: None });
                }
            }
        }
    }

    fn add(&mut self, added: &[Email]) {
        let mut newest = None;
        for email in added {
            let place = email.find(&self.emails).unwrap_or_else(|| {
                self.emails.push(email.clone());
                self.emails.len() - 1
            });
            let present = &mut self.emails[place];
            present.value.clone_from(&email.value);
            present.kind = email.kind.or(present.kind);
            present.primary = email.primary.or(present.primary);
            if email.primary == Some(true) {
                newest = Some(place);
            }
        }
        let is_primary = |place: &usize| self.emails[*place].primary == Some(true);
        if let Some(newest) = newest.filter(is_primary) {
            for (place, email) in self.emails.iter_mut().enumerate() {
                if place != newest && email.primary == Some(true) {
                    email.primary = Some(false);
                }
            }
        }
    }
}

impl Step {
    /// One operation that means it, of the many that do.
    pub fn to_json(&self) -> Value {
        let list = |emails: &[Email]| emails.iter().map(Email::to_json).collect::<Vec<_>>();
        match self {
            Self::Set(field, value, form) => set(*field, value.as_deref(), *form),
            Self::Active(flag, form) => [
                json!({ "op": "replace", "path": "active", "value": flag }),
                json!({ "op": "Add", "path": "ACTIVE", "value": if *flag { "True" } else { "False" } }),
                json!({ "op": "replace", "value": { "active": flag } }),
            ][form % 3].clone(),
            Self::RemoveName => json!({ "op": "remove", "path": "name" }),
            Self::AddEmails(emails, form) => [
                json!({ "op": "add", "path": "emails", "value": list(emails) }),
                json!({ "op": "Add", "value": { "Emails": list(emails) } }),
            ][form % 2].clone(),
            Self::ReplaceEmails(emails, form) => [
                json!({ "op": "replace", "path": "emails", "value": list(emails) }),
                json!({ "op": "Replace", "value": { "emails": list(emails) } }),
            ][form % 2].clone(),
            Self::RemoveEmails(emails) => {
                json!({ "op": "remove", "path": "emails", "value": list(emails) })
            }
            Self::RemoveWhere(kind) => {
                json!({ "op": "remove", "path": format!("emails[type eq \"{kind}\"]") })
            }
            Self::SetWhere(kind, value, adds) => {
                let (op, path) = (["Replace", "Add"][usize::from(*adds)], format!("emails[type eq \"{kind}\"].value"));
                json!({ "op": op, "path": path, "value": value })
            }
        }
    }
}

fn set(field: Field, value: Option<&str>, form: usize) -> Value {
    let (path, nested) = match field {
        Field::Title => ("title".to_owned(), json!({ "title": value })),
        Field::Given => ("name.givenName".to_owned(), json!({ "name": { "givenName": value } })),
        Field::Family => ("name.familyName".to_owned(), json!({ "NAME": { "familyname": value } })),
        Field::Department => {
            (format!("{ENTERPRISE}:department"), json!({ ENTERPRISE: { "department": value } }))
        }
        Field::Manager => {
            (format!("{ENTERPRISE}:manager"), json!({ ENTERPRISE: { "manager.value": value } }))
        }
    };
    match (form % 4, value) {
        (0, None) => json!({ "op": "Remove", "path": path }),
        (0 | 1, _) => json!({ "op": "Replace", "path": path, "value": value }),
        (2, _) => json!({ "op": "replace", "value": { path: value } }),
        _ => json!({ "op": "replace", "value": nested }),
    }
}

fn text() -> impl Strategy<Value = String> {
    select(vec!["a", "A", "b", "é"]).prop_map(str::to_owned)
}

fn emails() -> impl Strategy<Value = Vec<Email>> {
    let kind = proptest::option::of(select(vec!["work", "home"]));
    let email = (text(), kind, proptest::option::of(any::<bool>()))
        .prop_map(|(value, kind, primary)| Email { value, kind, primary });
    // One primary at most; which of several is believed has tests of its own.
    proptest::collection::vec(email, 1..4).prop_map(|mut emails: Vec<Email>| {
        let primary = emails.iter().position(|email| email.primary == Some(true));
        for (place, email) in emails.iter_mut().enumerate() {
            if Some(place) != primary && email.primary == Some(true) {
                email.primary = None;
            }
        }
        emails
    })
}

pub fn steps() -> impl Strategy<Value = Vec<Step>> {
    use Field::{Department, Family, Given, Manager, Title};
    let field = select(vec![Title, Given, Family, Department, Manager]);
    let kind = || select(vec!["work", "home"]);
    let step = prop_oneof![
        4 => (field, proptest::option::weighted(0.7, text()), 0..4_usize)
            .prop_map(|(field, value, form)| Step::Set(field, value, form)),
        1 => (any::<bool>(), 0..3_usize).prop_map(|(flag, form)| Step::Active(flag, form)),
        1 => Just(Step::RemoveName),
        3 => (emails(), 0..2_usize).prop_map(|(emails, form)| Step::AddEmails(emails, form)),
        2 => (emails(), 0..2_usize).prop_map(|(emails, form)| Step::ReplaceEmails(emails, form)),
        1 => emails().prop_map(Step::RemoveEmails),
        1 => kind().prop_map(Step::RemoveWhere),
        2 => (kind(), text(), any::<bool>())
            .prop_map(|(kind, value, adds)| Step::SetWhere(kind, value, adds)),
    ];
    proptest::collection::vec(step, 1..12)
}
