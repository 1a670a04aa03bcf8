//! Accounts of an organization's application, and which of them a provisioned
//! user belongs to.

use serde_json::{Map, Value};

use super::{AccountId, Instant, UserId, fold};

/// Who somebody is to the application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Ours.
    pub id: AccountId,
    /// The application's own id of it; `None`: the application has said nothing
    /// of it, it was made for a provisioned user.
    pub client_id: Option<String>,
    /// The address, as it was written; empty: the application has said nothing of
    /// the account, and its users have left the address that it had.
    pub email: String,
    /// Whether the application says that it has verified the address; of an
    /// account that was made for a user, whether the identity provider marked it.
    pub email_verified: bool,
    /// When it was made here.
    pub created_at: Instant,
    /// When it last changed here.
    pub updated_at: Instant,
}

/// Which accounts are wanted; what is said holds together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccountFilter {
    /// Those with this email, by key.
    pub email_key: Option<String>,
    /// The one of this id of the application's.
    pub client_id: Option<String>,
}

/// An account as the application tells of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportedAccount {
    /// See [`Account::client_id`].
    pub client_id: String,
    /// See [`Account::email`].
    pub email: String,
    /// Whether the application has verified the address.
    pub email_verified: bool,
    /// The account here that it is, where the application knows that.
    pub account: Option<AccountId>,
}

/// What importing an account came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Import {
    /// It was not here.
    Created(AccountId),
    /// Something of it was different.
    Updated(AccountId),
    /// It was here as it is.
    Unchanged(AccountId),
}

/// Why an account was not imported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImportConflict {
    /// Another account of the request has this client id.
    ClientIdRepeated,
    /// Another account of the request has this email.
    EmailRepeated,
    /// The account that is named is what another of the request is here.
    AccountRepeated,
    /// The email is that of an account that another of the request is here.
    AccountOfEmailRepeated,
    /// Another account has the email.
    EmailTaken(AccountId),
    /// The email is that of an account that was made for a user whose email
    /// nobody has proven.
    EmailUnproven(AccountId),
    /// The account that is named does not exist.
    NoSuchAccount,
    /// The account that is named has another client id.
    AccountTaken,
    /// Another account than the one that is named has the client id.
    ClientIdTaken,
}

/// Which account a user belongs to, and why; neither: nothing was to be decided,
/// because the user never had an email.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Link {
    /// The account.
    pub account: Option<AccountId>,
    /// Why this one, or no longer any.
    pub reason: Option<LinkReason>,
}

/// Why a user was linked to an account, or was not. The numbers are stored, and
/// those of the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LinkReason {
    /// No account had the email: one was made.
    NoAccount = 1,
    /// The identity provider marks the email as verified.
    EmailVerified = 2,
    /// It need not be: `allow_unverified_email_account_linking`.
    UnverifiedAllowed = 3,
    /// The account was made for a user of the same configuration, who is gone.
    MadeBefore = 4,
    /// Linked no longer: the application removed the account.
    AccountDeleted = 5,
    /// Refused: the identity provider does not mark the email as verified.
    EmailUnverified = 6,
    /// Refused: the application has not verified the email of the account.
    AccountEmailUnverified = 7,
}

impl LinkReason {
    const ALL: [Self; 7] = [
        Self::NoAccount,
        Self::EmailVerified,
        Self::UnverifiedAllowed,
        Self::MadeBefore,
        Self::AccountDeleted,
        Self::EmailUnverified,
        Self::AccountEmailUnverified,
    ];

    /// The reason of this number.
    #[must_use]
    pub fn from_number(number: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| i64::from(reason.number()) == number)
    }

    /// Its number.
    #[must_use]
    pub const fn number(self) -> i32 {
        self as i32
    }
}

/// A user that was to belong to an account and may not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkRefusal {
    /// The account that has the email.
    pub account: AccountId,
    /// Why it is not the user's.
    pub reason: LinkReason,
    /// The email.
    pub email: String,
    /// The `userName`.
    pub user_name: String,
    /// The `externalId`.
    pub external_id: Option<String>,
    /// The user that was to be changed; `None`: it was to be made.
    pub user: Option<UserId>,
}

/// What there is to know of an account that has a user's email.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Whether it is an account of the application's, and not one that was only
    /// made for a user.
    pub is_claimed: bool,
    /// See [`Account::email_verified`].
    pub email_verified: bool,
    /// Whether it was made for a user of the same configuration, and no user, of
    /// whatever configuration, has it.
    pub made_before: bool,
}

impl Candidate {
    /// Whether a user may be linked to this account, and why or why not.
    ///
    /// Both sides must know whose the email is. An identity provider that does
    /// not could take over anybody's account; and whoever registered somebody
    /// else's address with the application, which has not verified it, would get
    /// to know what that person does. The setting allows both.
    pub const fn decide(
        self,
        email_verified: bool,
        unverified_allowed: bool,
    ) -> Result<LinkReason, LinkReason> {
        let is_trusted = self.email_verified || !self.is_claimed;
        if email_verified && is_trusted {
            Ok(LinkReason::EmailVerified)
        } else if unverified_allowed {
            Ok(LinkReason::UnverifiedAllowed)
        } else if self.made_before {
            Ok(LinkReason::MadeBefore)
        } else if email_verified {
            Err(LinkReason::AccountEmailUnverified)
        } else {
            Err(LinkReason::EmailUnverified)
        }
    }
}

/// The address by which a user is linked to an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrimaryEmail {
    /// The address, as it was written.
    pub text: String,
    /// Whether the identity provider marks it as verified.
    pub verified: bool,
}

impl PrimaryEmail {
    /// The primary one of `emails` in a SCIM document, or else the first; `None`
    /// where that says no address.
    ///
    /// RFC 7643 has no word for a verified address. It is marked by a
    /// sub-attribute `verified`, true, which is kept like every other that no
    /// schema knows.
    #[must_use]
    pub fn of(document: &Map<String, Value>) -> Option<Self> {
        let emails = document.get("emails")?.as_array()?;
        let is_primary = |email: &&Value| email.get("primary") == Some(&Value::Bool(true));
        let email = emails.iter().find(is_primary).or(emails.first())?;
        let text = email.get("value")?.as_str().filter(|text| !text.trim().is_empty())?;
        Some(Self { text: text.to_owned(), verified: is_verified(email) })
    }

    /// The form in which it is compared.
    #[must_use]
    pub fn key(&self) -> String {
        fold(&self.text)
    }
}

/// Whether the identity provider marks this one of `emails` as verified.
#[must_use]
pub fn is_verified(email: &Value) -> bool {
    let entries = email.as_object().into_iter().flatten();
    let mut marks = entries.filter(|(name, _)| name.eq_ignore_ascii_case("verified"));
    // Entra ID sends booleans as texts.
    marks.any(|(_, value)| match value {
        Value::Bool(flag) => *flag,
        Value::String(text) => text.eq_ignore_ascii_case("true"),
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_reason_survives_its_number() {
        for reason in LinkReason::ALL {
            assert_eq!(LinkReason::from_number(reason.number().into()), Some(reason));
        }
        assert_eq!(LinkReason::from_number(0), None);
        assert_eq!(LinkReason::from_number(8), None);
    }

    #[test]
    fn who_is_linked_follows_from_both_sides_and_the_setting() {
        use LinkReason::{
            AccountEmailUnverified, EmailUnverified, EmailVerified, MadeBefore, UnverifiedAllowed,
        };
        let candidate = |is_claimed, email_verified, made_before| Candidate {
            is_claimed,
            email_verified,
            made_before,
        };
        for (account, marked, allowed, expected) in [
            // The application's, and verified there.
            (candidate(true, true, false), true, false, Ok(EmailVerified)),
            (candidate(true, true, false), true, true, Ok(EmailVerified)),
            (candidate(true, true, false), false, false, Err(EmailUnverified)),
            (candidate(true, true, false), false, true, Ok(UnverifiedAllowed)),
            // The application's, and not verified there.
            (candidate(true, false, false), true, false, Err(AccountEmailUnverified)),
            (candidate(true, false, false), true, true, Ok(UnverifiedAllowed)),
            (candidate(true, false, false), false, false, Err(EmailUnverified)),
            (candidate(true, false, false), false, true, Ok(UnverifiedAllowed)),
            // Made for a user.
            (candidate(false, false, false), true, false, Ok(EmailVerified)),
            (candidate(false, false, false), false, false, Err(EmailUnverified)),
            (candidate(false, true, false), false, true, Ok(UnverifiedAllowed)),
            // Made for a user of the same configuration.
            (candidate(false, false, true), false, false, Ok(MadeBefore)),
            (candidate(false, false, true), true, false, Ok(EmailVerified)),
            (candidate(true, false, true), true, false, Ok(MadeBefore)),
        ] {
            assert_eq!(account.decide(marked, allowed), expected, "{account:?} {marked} {allowed}");
        }
    }

    #[test]
    fn the_primary_email_is_the_one_that_says_so_or_else_the_first() {
        for (emails, expected) in [
            (json!([]), None),
            (json!([{ "type": "work" }]), None),
            (json!([{ "value": " " }]), None),
            (json!([{ "value": "A@x" }, { "value": "b@x" }]), Some(("A@x", false))),
            (
                json!([{ "value": "a@x", "verified": true }, { "value": "b@x", "primary": true }]),
                Some(("b@x", false)),
            ),
            (json!([{ "value": "a@x", "Verified": "True" }]), Some(("a@x", true))),
            (json!([{ "value": "a@x", "verified": "yes" }]), Some(("a@x", false))),
            (json!([{ "value": "a@x", "verified": 1 }]), Some(("a@x", false))),
        ] {
            let document = Map::from_iter([("emails".to_owned(), emails.clone())]);
            let found = PrimaryEmail::of(&document);
            let found = found.as_ref().map(|email| (email.text.as_str(), email.verified));
            assert_eq!(found, expected, "{emails}");
        }
        assert_eq!(PrimaryEmail::of(&Map::new()), None);
    }
}
