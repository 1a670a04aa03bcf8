// Follows the change feed of one organization for ever, and prints each event once, in order.
package main

import (
	"cmp"
	"context"
	"fmt"
	"log"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"connectrpc.com/connect"
	scimdv1 "scimd.test/follow/gen/scimd/v1"
	"scimd.test/follow/gen/scimd/v1/scimdv1connect"
)

func main() {
	client := scimdv1connect.NewDirectoryServiceClient(http.DefaultClient, os.Getenv("SCIMD_URL"))
	// In earnest: the number that was stored in the same transaction as what the last event led to.
	after, err := strconv.ParseUint(cmp.Or(os.Getenv("SCIMD_AFTER"), "0"), 10, 64)
	if err != nil {
		log.Fatal("SCIMD_AFTER: ", err)
	}
	for ; ; time.Sleep(time.Second) {
		after, err = follow(client, after)
		if connect.CodeOf(err) == connect.CodeOutOfRange {
			log.Fatalf("%v: take GetSnapshot and go on behind its number", err)
		}
		log.Printf("goes on behind %d: %v", after, err)
	}
}

// follow prints what comes behind a number, until the stream ends, and returns the last number.
func follow(client scimdv1connect.DirectoryServiceClient, after uint64) (uint64, error) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	// A message comes every 15 seconds, if only one without events: who is silent for a minute is gone.
	silence := time.AfterFunc(time.Minute, cancel)
	ctx, call := connect.NewClientContext(ctx)
	call.RequestHeader().Set("Authorization", "Bearer "+os.Getenv("SCIMD_API_KEY"))
	request := &scimdv1.StreamEventsRequest{OrganizationId: os.Getenv("SCIMD_ORGANIZATION"), After: after}
	stream, err := client.StreamEvents(ctx, request)
	if err != nil {
		return after, err
	}
	defer stream.Close()
	for stream.Receive() {
		silence.Reset(time.Minute)
		for _, event := range stream.Msg().GetEvents() {
			kind := strings.TrimPrefix(event.GetKind().String(), "EVENT_KIND_")
			fmt.Println(event.GetNumber(), kind, event.GetSubjectId())
			after = event.GetNumber()
		}
	}
	return after, stream.Err()
}
