package main

import (
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
)

// refused is an error answer: Connect's name of the code, the fields that BadRequest names, and what ErrorInfo says, as
// domain/reason.
type refused struct {
	code   string
	fields []string
	reason string
	text   string
}

func (r *refused) Error() string {
	return fmt.Sprintf("%s %v %s %s", r.code, r.fields, r.reason, r.text)
}

// checks counts. Its output is the interface to tests/integration/clients.rs: one line per check, and a last line
// `N passed, M failed`. The program never stops at the first failure, so that one run shows everything.
type checks struct {
	label          string
	passed, failed int
}

func (t *checks) yes(sentence string, holds bool, seen any) {
	if t.label != "" {
		sentence = t.label + ": " + sentence
	}
	if holds {
		t.passed++
		fmt.Printf("ok - %s\n", sentence)
		return
	}
	t.failed++
	fmt.Printf("not ok - %s: %s\n", sentence, strings.Join(strings.Fields(fmt.Sprint(seen)), " "))
}

func (t *checks) equal(sentence string, seen, wanted any) {
	t.yes(sentence, reflect.DeepEqual(seen, wanted), fmt.Sprintf("saw %v, wanted %v", seen, wanted))
}

// refused wants call to fail with code, and BadRequest to name exactly fields.
func (t *checks) refused(sentence, code string, call func() error, fields ...string) {
	err := call()
	refusal, ok := err.(*refused)
	if !ok {
		t.yes(sentence, false, fmt.Sprintf("it was taken, or broke down: %v", err))
		return
	}
	slices.Sort(fields)
	slices.Sort(refusal.fields)
	same := refusal.code == code && slices.Equal(refusal.fields, fields)
	t.yes(sentence, same, fmt.Sprintf("saw %v, wanted %s %v", refusal, code, fields))
}

// section runs a part of the scenario; one that breaks down is one failed check, and the next ones still run.
func (t *checks) section(name string, run func()) {
	defer func() {
		if broken := recover(); broken != nil {
			t.yes(name+" runs to its end", false, broken)
		}
	}()
	run()
}

func (t *checks) finish() {
	fmt.Printf("%d passed, %d failed\n", t.passed, t.failed)
	if t.failed > 0 || t.passed == 0 {
		os.Exit(1)
	}
}

// must ends the section: what comes after a call that had to work makes no sense without its answer.
func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}
