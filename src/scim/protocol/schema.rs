//! The attributes of users and groups: RFC 7643 section 4 and its figures, as
//! one table. `/Schemas`, validation, filters, PATCH and projection read it.

use serde_json::{Value, json};

/// The type of an attribute's values (RFC 7643 2.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Text.
    String,
    /// True or false.
    Boolean,
    /// A point in time, as `xsd:dateTime`.
    DateTime,
    /// A URI.
    Reference,
    /// Bytes, in base64.
    Binary,
    /// An object of sub-attributes.
    Complex,
}

/// When an attribute can be written (RFC 7643 7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutability {
    /// Never by a client.
    ReadOnly,
    /// At any time.
    ReadWrite,
    /// At creation.
    Immutable,
    /// At any time, and never read.
    WriteOnly,
}

/// When an attribute is part of an answer (RFC 7643 7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Returned {
    /// Whatever is asked for.
    Always,
    /// Never.
    Never,
    /// Unless it is excluded or others are asked for.
    Default,
    /// When it is asked for.
    Request,
}

/// One attribute, or one sub-attribute.
#[expect(clippy::struct_excessive_bools, reason = "they are the characteristics of RFC 7643 7")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attribute {
    /// As it is written; compared without regard to case.
    pub name: &'static str,
    /// What it means.
    pub description: &'static str,
    /// The type of its values.
    pub kind: Kind,
    /// Whether it holds several values.
    pub multi_valued: bool,
    /// Whether a resource must have it.
    pub required: bool,
    /// Whether its texts are compared with regard to case.
    pub case_exact: bool,
    /// When it can be written.
    pub mutability: Mutability,
    /// When it is part of an answer.
    pub returned: Returned,
    /// Whether two resources of a configuration may not share a value.
    pub unique: bool,
    /// Values that have a meaning; others are allowed.
    pub canonical_values: &'static [&'static str],
    /// What a reference points to.
    pub reference_types: &'static [&'static str],
    /// The attributes of a complex one.
    pub sub_attributes: &'static [Attribute],
}

impl Attribute {
    const fn new(name: &'static str, kind: Kind, description: &'static str) -> Self {
        Self {
            name,
            description,
            kind,
            multi_valued: false,
            required: false,
            case_exact: matches!(kind, Kind::Reference | Kind::Binary | Kind::DateTime),
            mutability: Mutability::ReadWrite,
            returned: Returned::Default,
            unique: false,
            canonical_values: &[],
            reference_types: &[],
            sub_attributes: &[],
        }
    }

    const fn string(name: &'static str, description: &'static str) -> Self {
        Self::new(name, Kind::String, description)
    }

    const fn complex(
        name: &'static str,
        description: &'static str,
        sub_attributes: &'static [Self],
    ) -> Self {
        let mut attribute = Self::new(name, Kind::Complex, description);
        attribute.sub_attributes = sub_attributes;
        attribute
    }

    const fn many(mut self) -> Self {
        self.multi_valued = true;
        self
    }

    const fn required(mut self) -> Self {
        self.required = true;
        self
    }

    const fn exact(mut self) -> Self {
        self.case_exact = true;
        self
    }

    const fn unique(mut self) -> Self {
        self.unique = true;
        self
    }

    const fn read_only(mut self) -> Self {
        self.mutability = Mutability::ReadOnly;
        self
    }

    const fn immutable(mut self) -> Self {
        self.mutability = Mutability::Immutable;
        self
    }

    const fn always(mut self) -> Self {
        self.returned = Returned::Always;
        self
    }

    const fn write_only(mut self) -> Self {
        self.mutability = Mutability::WriteOnly;
        self.returned = Returned::Never;
        self
    }

    const fn on_request(mut self) -> Self {
        self.returned = Returned::Request;
        self
    }

    const fn canonical(mut self, values: &'static [&'static str]) -> Self {
        self.canonical_values = values;
        self
    }

    const fn pointing_to(mut self, types: &'static [&'static str]) -> Self {
        self.reference_types = types;
        self
    }

    /// The sub-attribute of this name.
    #[must_use]
    pub fn sub_attribute(&self, name: &str) -> Option<&'static Self> {
        find(self.sub_attributes, name)
    }

    /// The sub-attribute that stands for the whole where none is named
    /// (RFC 7643 2.4).
    #[must_use]
    pub fn default_sub_attribute(&self) -> Option<&'static Self> {
        self.sub_attribute("value")
    }
}

/// A schema: a URN and its attributes.
#[derive(Debug)]
pub struct Schema {
    /// The URN.
    pub id: &'static str,
    /// For people.
    pub name: &'static str,
    /// For people.
    pub description: &'static str,
    /// Its attributes, without those that every resource has.
    pub attributes: &'static [Attribute],
}

impl Schema {
    /// The attribute of this name.
    #[must_use]
    pub fn attribute(&self, name: &str) -> Option<&'static Attribute> {
        find(self.attributes, name)
    }
}

/// A kind of resource: where it is, and of which schemas.
#[derive(Debug)]
pub struct ResourceType {
    /// `User` or `Group`.
    pub name: &'static str,
    /// Its path below the base URL.
    pub endpoint: &'static str,
    /// For people.
    pub description: &'static str,
    /// The schema that it always has.
    pub schema: &'static Schema,
    /// Schemas that it may have as well.
    pub extensions: &'static [&'static Schema],
}

impl ResourceType {
    /// The attribute of this name: of the core schema, or one that every
    /// resource has.
    #[must_use]
    pub fn attribute(&self, name: &str) -> Option<&'static Attribute> {
        self.schema.attribute(name).or_else(|| find(COMMON, name))
    }

    /// The attribute of this name in the first extension that has one.
    #[must_use]
    pub fn unqualified(&self, name: &str) -> Option<(&'static Schema, &'static Attribute)> {
        self.extensions.iter().find_map(|schema| Some((*schema, schema.attribute(name)?)))
    }

    /// The extension with this URN, or with one that an identity provider uses
    /// for it.
    #[must_use]
    pub fn extension(&self, urn: &str) -> Option<&'static Schema> {
        let urn = ALIASES
            .iter()
            .find(|(alias, _)| alias.eq_ignore_ascii_case(urn))
            .map_or(urn, |(_, urn)| urn);
        self.extensions.iter().find(|schema| schema.id.eq_ignore_ascii_case(urn)).copied()
    }
}

fn find(attributes: &'static [Attribute], name: &str) -> Option<&'static Attribute> {
    attributes.iter().find(|attribute| attribute.name.eq_ignore_ascii_case(name))
}

/// Seen in the field: what OneLogin calls the enterprise extension.
const ALIASES: &[(&str, &str)] =
    &[("urn:scim:schemas:extension:enterprise:2.0", ENTERPRISE_USER_URN)];

const ENTERPRISE_USER_URN: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

/// The attributes that every resource has (RFC 7643 3.1).
pub const COMMON: &[Attribute] = &[
    Attribute::new("schemas", Kind::Reference, "The URNs of the schemas of the resource")
        .many()
        .required()
        .always(),
    Attribute::string("id", "The identifier that the server gave the resource")
        .exact()
        .unique()
        .read_only()
        .always(),
    Attribute::string("externalId", "The identifier that the client knows the resource by").exact(),
    Attribute::complex(
        "meta",
        "What the server knows of the resource",
        &[
            Attribute::string("resourceType", "The name of the resource type").exact().read_only(),
            Attribute::new("created", Kind::DateTime, "When the resource was created").read_only(),
            Attribute::new("lastModified", Kind::DateTime, "When the resource last changed")
                .read_only(),
            Attribute::new("location", Kind::Reference, "The URI of the resource")
                .read_only()
                .pointing_to(&["uri"]),
            Attribute::string("version", "The entity tag of the resource").exact().read_only(),
        ],
    )
    .read_only(),
];

/// The sub-attributes of most multi-valued attributes (RFC 7643 2.4).
macro_rules! values {
    ($value:expr, $types:expr $(, $more:expr)?) => {
        &[
            $value,
            Attribute::string("display", "A name for display"),
            Attribute::string("type", "What the value is for").canonical($types),
            Attribute::new("primary", Kind::Boolean, "Whether this is the preferred value"),
            $($more,)?
        ]
    };
}

/// The core schema of users (RFC 7643 4.1).
pub static USER_SCHEMA: Schema = Schema {
    id: "urn:ietf:params:scim:schemas:core:2.0:User",
    name: "User",
    description: "User Account",
    attributes: &[
        Attribute::string("userName", "The name by which the user is known to the service")
            .required()
            .unique(),
        Attribute::complex(
            "name",
            "The parts of the user's name",
            &[
                Attribute::string("formatted", "The whole name, for display"),
                Attribute::string("familyName", "The family name"),
                Attribute::string("givenName", "The given name"),
                Attribute::string("middleName", "The middle names"),
                Attribute::string("honorificPrefix", "The title before the name"),
                Attribute::string("honorificSuffix", "The title behind the name"),
            ],
        ),
        Attribute::string("displayName", "The name to show"),
        Attribute::string("nickName", "The casual name"),
        Attribute::new("profileUrl", Kind::Reference, "The URL of the user's page")
            .pointing_to(&["external"]),
        Attribute::string("title", "The job title"),
        Attribute::string("userType", "The relation of the user to the organization"),
        Attribute::string("preferredLanguage", "The language to speak to the user in"),
        Attribute::string("locale", "The place by whose customs to write for the user"),
        Attribute::string("timezone", "The time zone, by its name in the IANA database"),
        Attribute::new("active", Kind::Boolean, "Whether the user may use the service"),
        Attribute::string("password", "A password; it is taken and thrown away")
            .exact()
            .write_only(),
        Attribute::complex(
            "emails",
            "Email addresses",
            values!(
                Attribute::string("value", "The address"),
                &["work", "home", "other"],
                // Not of RFC 7643: for the linking of accounts.
                Attribute::new(
                    "verified",
                    Kind::Boolean,
                    "Whether the address is known to be the user's"
                )
            ),
        )
        .many(),
        Attribute::complex(
            "phoneNumbers",
            "Telephone numbers",
            values!(
                Attribute::string("value", "The number"),
                &["work", "home", "mobile", "fax", "pager", "other"]
            ),
        )
        .many(),
        Attribute::complex(
            "ims",
            "Instant messaging addresses",
            values!(
                Attribute::string("value", "The address"),
                &["aim", "gtalk", "icq", "xmpp", "msn", "skype", "qq", "yahoo"]
            ),
        )
        .many(),
        Attribute::complex(
            "photos",
            "URLs of pictures",
            values!(
                Attribute::new("value", Kind::Reference, "The URL").pointing_to(&["external"]),
                &["photo", "thumbnail"]
            ),
        )
        .many(),
        Attribute::complex(
            "addresses",
            "Postal addresses",
            &[
                Attribute::string("formatted", "The whole address, for display"),
                Attribute::string("streetAddress", "Street, number, and what belongs to them"),
                Attribute::string("locality", "The city"),
                Attribute::string("region", "The state or region"),
                Attribute::string("postalCode", "The postal code"),
                Attribute::string("country", "The country"),
                Attribute::string("type", "What the address is for")
                    .canonical(&["work", "home", "other"]),
                Attribute::new("primary", Kind::Boolean, "Whether this is the preferred address"),
            ],
        )
        .many(),
        Attribute::complex(
            "groups",
            "The groups that the user is in, directly",
            &[
                Attribute::string("value", "The id of the group").exact().read_only(),
                Attribute::new("$ref", Kind::Reference, "The URI of the group")
                    .read_only()
                    .pointing_to(&["Group"]),
                Attribute::string("display", "The name of the group").read_only(),
                Attribute::string("type", "How the user is in the group")
                    .read_only()
                    .canonical(&["direct", "indirect"]),
            ],
        )
        .many()
        .read_only(),
        Attribute::complex(
            "entitlements",
            "What the user is entitled to",
            values!(Attribute::string("value", "The entitlement"), &[]),
        )
        .many(),
        Attribute::complex(
            "roles",
            "The user's roles",
            values!(Attribute::string("value", "The role"), &[]),
        )
        .many(),
        Attribute::complex(
            "x509Certificates",
            "Certificates issued to the user",
            values!(Attribute::new("value", Kind::Binary, "The certificate, DER in base64"), &[]),
        )
        .many(),
    ],
};

/// The enterprise extension of users (RFC 7643 4.3).
pub static ENTERPRISE_USER_SCHEMA: Schema = Schema {
    id: ENTERPRISE_USER_URN,
    name: "EnterpriseUser",
    description: "Enterprise User",
    attributes: &[
        Attribute::string("employeeNumber", "The number that the organization gave the user"),
        Attribute::string("costCenter", "The cost center"),
        Attribute::string("organization", "The organization"),
        Attribute::string("division", "The division"),
        Attribute::string("department", "The department"),
        Attribute::complex(
            "manager",
            "The user's manager",
            &[
                Attribute::string("value", "The id of the manager").exact(),
                Attribute::new("$ref", Kind::Reference, "The URI of the manager")
                    .pointing_to(&["User"]),
                Attribute::string("displayName", "The name of the manager"),
            ],
        ),
    ],
};

/// The core schema of groups (RFC 7643 4.2).
pub static GROUP_SCHEMA: Schema = Schema {
    id: "urn:ietf:params:scim:schemas:core:2.0:Group",
    name: "Group",
    description: "Group",
    attributes: &[
        // As Entra ID expects: it finds groups by their names.
        Attribute::string("displayName", "The name of the group").required().unique(),
        Attribute::complex(
            "members",
            "Who is in the group",
            &[
                Attribute::string("value", "The id of the member").exact().immutable(),
                Attribute::new("$ref", Kind::Reference, "The URI of the member")
                    .immutable()
                    .pointing_to(&["User", "Group"]),
                Attribute::string("display", "The name of the member").read_only().on_request(),
                Attribute::string("type", "What the member is")
                    .immutable()
                    .canonical(&["User", "Group"]),
            ],
        )
        .many(),
    ],
};

/// Users.
pub static USER: ResourceType = ResourceType {
    name: "User",
    endpoint: "/Users",
    description: "User Account",
    schema: &USER_SCHEMA,
    extensions: &[&ENTERPRISE_USER_SCHEMA],
};

/// Groups.
pub static GROUP: ResourceType = ResourceType {
    name: "Group",
    endpoint: "/Groups",
    description: "Group",
    schema: &GROUP_SCHEMA,
    extensions: &[],
};

/// All that can be provisioned.
pub static RESOURCE_TYPES: [&ResourceType; 2] = [&USER, &GROUP];

/// All schemas of resources.
pub static SCHEMAS: [&Schema; 3] = [&USER_SCHEMA, &ENTERPRISE_USER_SCHEMA, &GROUP_SCHEMA];

impl Schema {
    /// The schema as `/Schemas` shows it (RFC 7643 7), without `meta`.
    #[must_use]
    pub fn to_json(&self) -> Value {
        json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Schema"],
            "id": self.id,
            "name": self.name,
            "description": self.description,
            "attributes": self.attributes.iter().map(Attribute::describe).collect::<Vec<_>>(),
        })
    }
}

impl Attribute {
    fn describe(&self) -> Value {
        let mut json = json!({
            "name": self.name,
            "type": match self.kind {
                Kind::String => "string",
                Kind::Boolean => "boolean",
                Kind::DateTime => "dateTime",
                Kind::Reference => "reference",
                Kind::Binary => "binary",
                Kind::Complex => "complex",
            },
            "multiValued": self.multi_valued,
            "description": self.description,
            "required": self.required,
            "caseExact": self.case_exact,
            "mutability": match self.mutability {
                Mutability::ReadOnly => "readOnly",
                Mutability::ReadWrite => "readWrite",
                Mutability::Immutable => "immutable",
                Mutability::WriteOnly => "writeOnly",
            },
            "returned": match self.returned {
                Returned::Always => "always",
                Returned::Never => "never",
                Returned::Default => "default",
                Returned::Request => "request",
            },
            "uniqueness": if self.unique { "server" } else { "none" },
        });
        let mut add = |name: &str, values: Value| {
            json[name] = values;
        };
        if !self.canonical_values.is_empty() {
            add("canonicalValues", json!(self.canonical_values));
        }
        if !self.reference_types.is_empty() {
            add("referenceTypes", json!(self.reference_types));
        }
        if !self.sub_attributes.is_empty() {
            let subs = self.sub_attributes.iter().map(Self::describe).collect::<Vec<_>>();
            add("subAttributes", json!(subs));
        }
        json
    }
}
