// connect-go in all its protocols. There is no generated code: messages are dynamic, and their types are read from the
// descriptor set in $SCIMD_DESCRIPTOR_SET.
package main

import (
	"crypto/rand"
	"fmt"
	"maps"
	"net/http"
	"os"
	"slices"
	"time"

	"connectrpc.com/connect"
)

const (
	overHTTP1 = "HTTP/1.1"
	overHTTP2 = "HTTP/2.0"
)

// way is one protocol over one HTTP version; wants are the requests that must be all that went out.
type way struct {
	label, version, prefix string
	options                []connect.ClientOption
	wants                  []string
}

var ways = []way{
	{"connect binary", overHTTP1, "/api", nil, []string{"POST application/proto"}},
	{
		"connect JSON", overHTTP2, "", []connect.ClientOption{connect.WithProtoJSON(), connect.WithSendGzip()},
		[]string{"POST application/json"},
	},
	{
		"connect binary by GET", overHTTP2, "/api", []connect.ClientOption{connect.WithHTTPGet()},
		[]string{"GET ", "POST application/proto"},
	},
	{
		"connect JSON by GET", overHTTP1, "", []connect.ClientOption{connect.WithHTTPGet(), connect.WithProtoJSON()},
		[]string{"GET ", "POST application/json"},
	},
	{"grpc", overHTTP2, "", []connect.ClientOption{connect.WithGRPC()}, []string{"POST application/grpc"}},
	{
		"grpc, compressed, below /api", overHTTP2, "/api", []connect.ClientOption{connect.WithGRPC(), connect.WithSendGzip()},
		[]string{"POST application/grpc"},
	},
	{"grpc-web", overHTTP1, "", []connect.ClientOption{connect.WithGRPCWeb()}, []string{"POST application/grpc-web+proto"}},
	{
		"grpc-web, compressed", overHTTP2, "/api", []connect.ClientOption{connect.WithGRPCWeb(), connect.WithSendGzip()},
		[]string{"POST application/grpc-web+proto"},
	},
}

func main() {
	e := environment{
		url: variable("URL"), organization: variable("ORGANIZATION"),
		otherOrganization: variable("OTHER_ORGANIZATION"), otherConfiguration: variable("OTHER_CONFIGURATION"),
	}
	files := must(registry(must(os.ReadFile(variable("DESCRIPTOR_SET")))))
	t := &checks{}
	for _, way := range ways {
		t.label = way.label
		requests := counting{transport(way.version), map[string]int{}}
		plain := client{
			files: files, baseURL: e.url + way.prefix, http: &http.Client{Transport: requests}, options: way.options,
		}
		(&scenario{t: t, e: e, plain: plain}).run()
		var wanted []string
		for _, want := range way.wants {
			wanted = append(wanted, way.version+" "+want)
		}
		t.equal("all requests went out as they should", slices.Sorted(maps.Keys(requests.seen)), wanted)
	}
	t.label = ""
	t.finish()
}

// transport speaks one version of HTTP, in clear: gRPC without TLS is HTTP/2 from the first byte.
func transport(version string) http.RoundTripper {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(version == overHTTP1)
	protocols.SetUnencryptedHTTP2(version == overHTTP2)
	return &http.Transport{Protocols: protocols}
}

func mistyped(key string) string {
	last := "a"
	if key[len(key)-1] == 'a' {
		last = "b"
	}
	return key[:len(key)-1] + last
}

func variable(name string) string {
	value, ok := os.LookupEnv("SCIMD_" + name)
	if !ok {
		panic("SCIMD_" + name + " is not set")
	}
	return value
}

func newUUID() string {
	var b [16]byte
	rand.Read(b[:])
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// scimStatus asks the SCIM door: the only way to see from outside whether a token is alive.
func scimStatus(url, configuration, token string) int {
	request := must(http.NewRequest("GET", url+"/scim/v2/"+configuration+"/ServiceProviderConfig", nil))
	request.Header.Set("Authorization", "Bearer "+token)
	answer := must((&http.Client{Timeout: 20 * time.Second}).Do(request))
	answer.Body.Close()
	return answer.StatusCode
}
