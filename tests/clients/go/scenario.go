package main

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/reflect/protoreflect"
)

const (
	day   = 24 * time.Hour
	total = 60
)

var published = regexp.MustCompile(`^scimd_scim_[0-9A-Za-z]{49}$`)

type environment struct {
	url, organization, otherOrganization, otherConfiguration string
}

// scenario deletes again what it makes, except the 60 configurations that paging needs.
type scenario struct {
	t                    *checks
	e                    environment
	plain, admin, viewer client
	mine                 []string
}

func (s *scenario) run() {
	s.admin, s.viewer = s.plain.with(variable("ADMIN_KEY")), s.plain.with(variable("VIEWER_KEY"))
	for _, section := range []struct {
		name string
		run  func()
	}{
		{"identity", s.identity}, {"creation", s.creation}, {"bounds", s.bounds}, {"reading", s.reading},
		{"updates", s.updates}, {"regeneration", s.regeneration}, {"deletion", s.deletion}, {"paging", s.paging},
		{"access", s.access}, {"details", s.details},
	} {
		s.t.section(section.name, section.run)
		s.t.section("tidying up after "+section.name, s.tidy)
	}
}

func (s *scenario) tidy() {
	for _, id := range s.mine {
		var refusal *refused
		if err := s.admin.delete(id); err != nil && (!errors.As(err, &refusal) || refusal.code != "not_found") {
			panic(err)
		}
	}
	s.mine = nil
}

func (s *scenario) try(c client, f fields) (configuration, string, error) {
	if f.Organization == nil {
		f.Organization = &s.e.organization
	}
	if f.SSO == nil {
		f.SSO = new(newUUID())
	}
	made, token, err := c.create(f)
	if err == nil {
		s.mine = append(s.mine, made.ID)
	}
	return made, token, err
}

func (s *scenario) create(f fields) (configuration, string) {
	made, token, err := s.try(s.admin, f)
	return must(made, err), token
}

func (s *scenario) get(id string) configuration { return must(s.admin.get(id)) }

func (s *scenario) alive(id, token string) int { return scimStatus(s.e.url, id, token) }

func (s *scenario) refusedCreate(sentence string, f fields, named ...string) {
	s.t.refused(sentence, "invalid_argument", func() error { _, _, err := s.try(s.admin, f); return err }, named...)
}

func (s *scenario) identity() {
	for name, c := range map[string]client{"admin": s.admin, "viewer": s.viewer} {
		organization, principal, err := c.identity()
		s.t.equal("the "+name+" key's identity names its organization", must(organization, err), s.e.organization)
		s.t.equal("the "+name+" key is a service account", principal, "PRINCIPAL_SERVICE_ACCOUNT")
	}
}

func (s *scenario) creation() {
	sso := newUUID()
	made, token := s.create(fields{SSO: &sso})
	s.t.equal("creating with defaults answers the fields of the configuration", made, configuration{
		ID: made.ID, Organization: s.e.organization, SSO: sso, Enabled: true,
		Created: made.Created, Updated: made.Created, Expiration: made.Created.Add(365 * day),
	})
	s.t.yes("the token has its published pattern", published.MatchString(token), len(token))
	s.t.equal("the token of a new configuration is taken", s.alive(made.ID, token), 200)
	full, _ := s.create(fields{Name: new("Okta production"), SSO: &sso, Lasts: new("7776000s"), Linking: new(true)})
	s.t.equal("creating with all fields answers all of them", full, configuration{
		ID: full.ID, Organization: s.e.organization, Name: "Okta production", SSO: sso, Enabled: true, Linking: true,
		Created: full.Created, Updated: full.Created, Expiration: full.Created.Add(90 * day),
	})
	exact, _ := s.create(fields{Lasts: new("9125115.360s")})
	lasts := 9125115*time.Second + 360*time.Millisecond
	s.t.equal("a fraction of a second is taken exactly", exact.Expiration.Sub(exact.Created), lasts)
}

func (s *scenario) bounds() {
	for _, days := range []int64{1, 730} {
		made, _ := s.create(fields{Lasts: new(fmt.Sprintf("%ds", days*86400))})
		lasts := time.Duration(days) * day
		s.t.equal(fmt.Sprintf("%d days, a bound, are taken", days), made.Expiration.Sub(made.Created), lasts)
	}
	for _, lasts := range []string{"86399s", "63072000.000000001s"} {
		s.refusedCreate("a duration of "+lasts+" is refused", fields{Lasts: &lasts}, "token_expires_in")
	}
	several := fields{Organization: new("nonsense"), Name: new(strings.Repeat("n", 129))}
	s.refusedCreate("several invalid fields are all named", several, "name", "organization_id")
	s.refusedCreate("a missing SSO configuration is refused", fields{SSO: new("")}, "sso_configuration_id")
	name := strings.Repeat("é", 128)
	made, _ := s.create(fields{Name: &name})
	s.t.equal("a name counts code points, not bytes", made.Name, name)
}

func (s *scenario) reading() {
	made, _ := s.create(fields{Name: new("read me")})
	s.t.equal("get answers what create answered", s.get(made.ID), made)
	get := func(id string) func() error { return func() error { _, err := s.admin.get(id); return err } }
	s.t.refused("an unknown configuration is not found", "not_found", get(newUUID()))
	s.t.refused("another tenant's configuration is not found", "not_found", get(s.e.otherConfiguration))
	s.t.refused("an id that is no uuid is refused", "invalid_argument", get("not-a-uuid"), "scim_configuration_id")
}

func (s *scenario) updates() {
	before, _ := s.create(fields{Name: new("before")})
	sso := newUUID()
	for _, step := range []struct {
		sentence string
		fields   fields
		apply    func(*configuration)
	}{
		{"the name alone", fields{Name: new("after")}, func(c *configuration) { c.Name = "after" }},
		{"enabled alone", fields{Enabled: new(false)}, func(c *configuration) { c.Enabled = false }},
		{"account linking alone", fields{Linking: new(true)}, func(c *configuration) { c.Linking = true }},
		{"an empty SSO configuration, which unlinks,", fields{SSO: new("")}, func(c *configuration) { c.SSO = "" }},
		{"an SSO configuration, which links again,", fields{SSO: &sso}, func(c *configuration) { c.SSO = sso }},
		{"an empty name", fields{Name: new("")}, func(c *configuration) { c.Name = "" }},
	} {
		after := must(s.admin.update(before.ID, step.fields))
		wanted := before
		step.apply(&wanted)
		wanted.Updated = after.Updated
		s.t.equal("updating "+step.sentence+" changes nothing else", after, wanted)
		s.t.yes("updating "+step.sentence+" moves updated_at", after.Updated.After(before.Updated), after.Updated)
		s.t.equal("updating "+step.sentence+" is seen by get", s.get(before.ID), after)
		before = after
	}
	unchanged := []configuration{must(s.admin.update(before.ID, fields{})), s.get(before.ID)}
	s.t.equal("an update that names no field changes nothing, not even updated_at", unchanged, []configuration{before, before})
	update := func(id string, f fields) func() error {
		return func() error { _, err := s.admin.update(id, f); return err }
	}
	nonsense, long := fields{SSO: new("nonsense")}, fields{Name: new(strings.Repeat("n", 129))}
	s.t.refused("updating with a wrong SSO id is refused", "invalid_argument", update(before.ID, nonsense), "sso_configuration_id")
	s.t.refused("updating with too long a name is refused", "invalid_argument", update(before.ID, long), "name")
	s.t.refused("updating an unknown configuration finds nothing", "not_found", update(newUUID(), fields{Name: new("mine")}))
	s.t.refused(
		"updating another tenant's configuration finds nothing", "not_found",
		update(s.e.otherConfiguration, fields{Name: new("mine")}),
	)
	s.t.equal("refused updates leave no trace", s.get(before.ID), before)
}

func (s *scenario) regeneration() {
	made, old := s.create(fields{Lasts: new("7776000s")})
	for _, step := range []struct {
		sentence, asked string
		lasts           time.Duration
	}{
		{"regenerating keeps the duration", "", 90 * day},
		{"regenerating with a duration takes that", "15552000s", 180 * day},
		{"regenerating again keeps the newer duration", "", 180 * day},
	} {
		token, expiration, err := s.admin.regenerate(made.ID, step.asked)
		must(token, err)
		now := s.get(made.ID)
		s.t.equal(step.sentence+", to the microsecond", now.Expiration.Sub(now.Updated), step.lasts)
		wanted := made
		wanted.Updated, wanted.Expiration = now.Updated, expiration.UTC()
		s.t.equal(step.sentence+", and changes nothing else", now, wanted)
		s.t.yes(step.sentence+", and moves updated_at", now.Updated.After(made.Updated), now.Updated)
		s.t.yes(step.sentence+", and makes a new token", token != old && published.MatchString(token), "the old or no token")
		statuses := []int{s.alive(made.ID, token), s.alive(made.ID, old)}
		s.t.equal(step.sentence+": the new token lives, the old one is dead", statuses, []int{200, 401})
		made, old = now, token
	}
	regenerate := func(id, lasts string) func() error {
		return func() error { _, _, err := s.admin.regenerate(id, lasts); return err }
	}
	for _, lasts := range []string{"86399s", "63072000.000000001s"} {
		s.t.refused("regenerating for "+lasts+" is refused", "invalid_argument", regenerate(made.ID, lasts), "token_expires_in")
	}
	s.t.equal("a refused regeneration leaves the token alive", s.alive(made.ID, old), 200)
	s.t.refused("regenerating another tenant's token finds nothing", "not_found", regenerate(s.e.otherConfiguration, ""))
}

func (s *scenario) deletion() {
	made, token := s.create(fields{})
	remove := func(id string) func() error { return func() error { return s.admin.delete(id) } }
	must(made, remove(made.ID)())
	s.t.refused("a deleted configuration is not found", "not_found", func() error { _, err := s.admin.get(made.ID); return err })
	s.t.refused("a second delete finds nothing", "not_found", remove(made.ID))
	s.t.equal("the token of a deleted configuration is dead", s.alive(made.ID, token), 401)
	s.t.refused("deleting another tenant's configuration finds nothing", "not_found", remove(s.e.otherConfiguration))
}

func (s *scenario) paging() {
	present, _, err := s.admin.page(100, "")
	must(present, err)
	for range total - len(present) {
		_, _, err := s.admin.create(fields{Organization: &s.e.organization, SSO: new(newUUID())})
		must(total, err)
	}
	everything, _, err := s.admin.page(100, "")
	must(everything, err)
	s.t.equal("page size 100 gives all", len(everything), total)
	oldestFirst := slices.IsSortedFunc(everything, func(a, b configuration) int { return a.Created.Compare(b.Created) })
	s.t.yes("the oldest come first", oldestFirst, "another order")
	ids := map[string]bool{}
	for _, made := range everything {
		ids[made.ID] = true
	}
	s.t.equal("no configuration is listed twice", len(ids), total)

	var gathered []configuration
	var lengths []int
	for token := ""; len(lengths) <= total; {
		part, following, err := s.admin.page(7, token)
		gathered, lengths, token = append(gathered, must(part, err)...), append(lengths, len(part)), following
		if token == "" {
			break
		}
	}
	s.t.equal("60 configurations make 9 pages of 7", lengths, []int{7, 7, 7, 7, 7, 7, 7, 7, 4})
	s.t.equal("paging by 7 gathers each once", gathered, everything)
	for sentence, f := range map[string]fields{
		"no pagination gives 25": {}, "page size 0 gives 25": {Pagination: &pagination{}},
	} {
		part, following, err := s.admin.list(f)
		s.t.equal(sentence, []any{len(must(part, err)), following != ""}, []any{25, true})
	}
	refuse := func(size int32, token string) func() error {
		return func() error { _, _, err := s.admin.page(size, token); return err }
	}
	for _, size := range []int32{101, -1} {
		s.t.refused(fmt.Sprintf("page size %d is refused", size), "invalid_argument", refuse(size, ""), "pagination.page_size")
	}
	s.t.refused("a made-up page token is refused", "invalid_argument", refuse(7, "nonsense"), "pagination.token")
}

func (s *scenario) access() {
	made, token := s.create(fields{})
	s.t.equal("a viewer may get", must(s.viewer.get(made.ID)), made)
	listed, _, err := s.viewer.page(100, "")
	s.t.equal("a viewer may list", len(must(listed, err)), total+1)
	for name, call := range map[string]func() error{
		"create":     func() error { _, _, err := s.try(s.viewer, fields{}); return err },
		"update":     func() error { _, err := s.viewer.update(made.ID, fields{Name: new("mine")}); return err },
		"regenerate": func() error { _, _, err := s.viewer.regenerate(made.ID, ""); return err },
		"delete":     func() error { return s.viewer.delete(made.ID) },
	} {
		s.t.refused("a viewer may not "+name, "permission_denied", call)
	}
	s.t.equal("a refused viewer leaves no trace", s.get(made.ID), made)
	s.t.equal("a refused viewer leaves the token alive", s.alive(made.ID, token), 200)
	s.t.refused("an admin may not create in another organization", "permission_denied", func() error {
		_, _, err := s.try(s.admin, fields{Organization: &s.e.otherOrganization})
		return err
	})
	for sentence, key := range map[string]string{
		"no key": "", "a made-up key": "nonsense", "a key with a typing error": mistyped(s.admin.key),
		"an expired key": variable("EXPIRED_KEY"), "a revoked key": variable("REVOKED_KEY"), "a SCIM token": token,
	} {
		c := s.plain.with(key)
		s.t.refused(sentence+" may not ask who it is", "unauthenticated", func() error { _, _, err := c.identity(); return err })
		s.t.refused(sentence+" may not get", "unauthenticated", func() error { _, err := c.get(made.ID); return err })
		s.t.refused(sentence+" may not create", "unauthenticated", func() error { _, _, err := s.try(c, fields{}); return err })
	}
}

// details looks at what connect unpacks beside the code: ErrorInfo, and errors that are no method's own.
func (s *scenario) details() {
	as := func(key string) func() error {
		return func() error { _, err := s.plain.with(key).get(s.e.otherConfiguration); return err }
	}
	for reason, call := range map[string]func() error{
		"CREDENTIAL_MISSING": as(""), "CREDENTIAL_INVALID": as("nonsense"),
		"CREDENTIAL_EXPIRED": as(variable("EXPIRED_KEY")), "CREDENTIAL_REVOKED": as(variable("REVOKED_KEY")),
		"SCIM_CONFIGURATION_NOT_FOUND": as(s.admin.key),
		"ROLE_INSUFFICIENT":            func() error { return s.viewer.delete(s.e.otherConfiguration) },
		"ARGUMENT_INVALID":             func() error { return s.admin.delete("nonsense") },
		"ORGANIZATION_FORBIDDEN": func() error {
			_, _, err := s.try(s.admin, fields{Organization: &s.e.otherOrganization})
			return err
		},
	} {
		err := call()
		refusal, ok := err.(*refused)
		s.t.yes("ErrorInfo says "+reason, ok && refusal.reason == "scimd/"+reason, err)
	}
	found := must(s.admin.files.FindDescriptorByName("gitpod.v1.OrganizationService.DeleteSCIMConfiguration"))
	for _, name := range []string{"GetOrganization", "NoSuchMethod"} {
		path := "/gitpod.v1.OrganizationService/" + name
		s.t.refused(name+" is unimplemented", "unimplemented", func() error {
			_, err := s.admin.callPath(path, found.(protoreflect.MethodDescriptor), fields{})
			return err
		})
	}
}
