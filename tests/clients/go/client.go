package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
)

// configuration is what the scenario compares.
type configuration struct {
	ID           string    `json:"id"`
	Organization string    `json:"organizationId"`
	Name         string    `json:"name"`
	Enabled      bool      `json:"enabled"`
	SSO          string    `json:"ssoConfigurationId"`
	Created      time.Time `json:"createdAt"`
	Updated      time.Time `json:"updatedAt"`
	Expiration   time.Time `json:"tokenExpiresAt"`
	Linking      bool      `json:"allowUnverifiedEmailAccountLinking"`
}

// fields are those of a request; nil means that the field is not sent.
type fields struct {
	ID           *string     `json:"scimConfigurationId,omitempty"`
	Organization *string     `json:"organizationId,omitempty"`
	Name         *string     `json:"name,omitempty"`
	Enabled      *bool       `json:"enabled,omitempty"`
	SSO          *string     `json:"ssoConfigurationId,omitempty"`
	Lasts        *string     `json:"tokenExpiresIn,omitempty"`
	Linking      *bool       `json:"allowUnverifiedEmailAccountLinking,omitempty"`
	Pagination   *pagination `json:"pagination,omitempty"`
}

type pagination struct {
	Size  int32  `json:"pageSize"`
	Token string `json:"token"`
}

// answer has room for the fields of every response.
type answer struct {
	Configuration  configuration   `json:"scimConfiguration"`
	Configurations []configuration `json:"scimConfigurations"`
	Token          string          `json:"token"`
	Expiration     time.Time       `json:"tokenExpiresAt"`
	Pagination     struct {
		Next string `json:"nextToken"`
	} `json:"pagination"`
	Organization string `json:"organizationId"`
	Subject      struct {
		Principal string `json:"principal"`
	} `json:"subject"`
}

// client speaks with one key, in one way; the empty key means that no credential is sent.
type client struct {
	files   *protoregistry.Files
	baseURL string
	http    connect.HTTPClient
	options []connect.ClientOption
	key     string
}

func (c client) with(key string) client {
	c.key = key
	return c
}

func (c client) identity() (organization, principal string, err error) {
	got, err := c.call("IdentityService", "GetAuthenticatedIdentity", fields{})
	return got.Organization, got.Subject.Principal, err
}

func (c client) create(f fields) (configuration, string, error) {
	got, err := c.organization("CreateSCIMConfiguration", f)
	if err == nil && !got.Expiration.Equal(got.Configuration.Expiration) {
		err = fmt.Errorf("two expiries: %v and %v", got.Expiration, got.Configuration.Expiration)
	}
	return got.Configuration, got.Token, err
}

func (c client) get(id string) (configuration, error) {
	got, err := c.organization("GetSCIMConfiguration", fields{ID: &id})
	return got.Configuration, err
}

func (c client) update(id string, f fields) (configuration, error) {
	f.ID = &id
	got, err := c.organization("UpdateSCIMConfiguration", f)
	return got.Configuration, err
}

func (c client) delete(id string) error {
	_, err := c.organization("DeleteSCIMConfiguration", fields{ID: &id})
	return err
}

// regenerate keeps the duration when lasts is empty.
func (c client) regenerate(id, lasts string) (string, time.Time, error) {
	f := fields{ID: &id}
	if lasts != "" {
		f.Lasts = &lasts
	}
	got, err := c.organization("RegenerateSCIMToken", f)
	return got.Token, got.Expiration, err
}

func (c client) page(size int32, token string) ([]configuration, string, error) {
	return c.list(fields{Pagination: &pagination{size, token}})
}

func (c client) list(f fields) ([]configuration, string, error) {
	got, err := c.organization("ListSCIMConfigurations", f)
	return got.Configurations, got.Pagination.Next, err
}

func (c client) organization(method string, f fields) (answer, error) {
	return c.call("OrganizationService", method, f)
}

func (c client) call(service, method string, f fields) (answer, error) {
	found, err := c.files.FindDescriptorByName(protoreflect.FullName("gitpod.v1." + service + "." + method))
	if err != nil {
		return answer{}, err
	}
	descriptor := found.(protoreflect.MethodDescriptor)
	return c.callPath("/gitpod.v1."+service+"/"+method, descriptor, f)
}

// callPath says what the messages at path are; the path itself may be of no method.
func (c client) callPath(path string, method protoreflect.MethodDescriptor, f fields) (answer, error) {
	options := append([]connect.ClientOption{
		connect.WithSchema(method), connect.WithResponseInitializer(initialize), connect.WithIdempotency(idempotency(method)),
	}, c.options...)
	sent := dynamicpb.NewMessage(method.Input())
	if err := protojson.Unmarshal(must(json.Marshal(f)), sent); err != nil {
		return answer{}, err
	}
	request := connect.NewRequest(sent)
	if c.key != "" {
		request.Header().Set("Authorization", "Bearer "+c.key)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	response, err := connect.NewClient[dynamicpb.Message, dynamicpb.Message](c.http, c.baseURL+path, options...).CallUnary(ctx, request)
	if err != nil {
		return answer{}, refusal(err)
	}
	var got answer
	err = json.Unmarshal(must(protojson.Marshal(response.Msg)), &got)
	return got, err
}

// initialize gives an empty response its type, which without generated code only the schema knows.
func initialize(spec connect.Spec, message any) error {
	*message.(*dynamicpb.Message) = *dynamicpb.NewMessage(spec.Schema.(protoreflect.MethodDescriptor).Output())
	return nil
}

// idempotency is the level in the .proto, in connect's own words; generated code says the same.
func idempotency(method protoreflect.MethodDescriptor) connect.IdempotencyLevel {
	if method.Options().(*descriptorpb.MethodOptions).GetIdempotencyLevel() == descriptorpb.MethodOptions_NO_SIDE_EFFECTS {
		return connect.IdempotencyNoSideEffects
	}
	return connect.IdempotencyUnknown
}

// refusal turns connect's error into the scenario's; what is no answer of the server stays as it is.
func refusal(err error) error {
	var failure *connect.Error
	if !errors.As(err, &failure) || !connect.IsWireError(err) {
		return err
	}
	refusal := &refused{code: failure.Code().String(), text: failure.Message()}
	for _, detail := range failure.Details() {
		switch value := must(detail.Value()).(type) {
		case *errdetails.BadRequest:
			for _, violation := range value.GetFieldViolations() {
				refusal.fields = append(refusal.fields, violation.GetField())
			}
		case *errdetails.ErrorInfo:
			refusal.reason = value.GetDomain() + "/" + value.GetReason()
		}
	}
	return refusal
}

// registry reads the encoded FileDescriptorSet that the server was compiled from.
func registry(encoded []byte) (*protoregistry.Files, error) {
	var set descriptorpb.FileDescriptorSet
	if err := proto.Unmarshal(encoded, &set); err != nil {
		return nil, err
	}
	return protodesc.NewFiles(&set)
}

// counting counts the requests that went out, by HTTP version, method and media type.
type counting struct {
	http.RoundTripper
	seen map[string]int
}

func (c counting) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := c.RoundTripper.RoundTrip(request)
	if err == nil {
		c.seen[fmt.Sprintf("%s %s %s", response.Proto, request.Method, request.Header.Get("Content-Type"))]++
	}
	return response, err
}
