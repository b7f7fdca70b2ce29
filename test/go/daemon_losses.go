package main

import (
	"fmt"
	"strconv"
	"strings"
	"sync"

	"wice.test/gopeer/wire"
)

type way string

const (
	sent     way = "sent"
	received way = "received"
)

// losses numbers messages, each way and kind from 1, and knows which ones get lost. Every message is of kind
// "message"; those with credentials are "credentials", and either "need" (of the peer's) or "answer"; those with a
// candidate are "candidate".
type losses struct {
	mu     sync.Mutex
	doomed map[string]bool
	seen   map[string]int
}

func (l *losses) String() string { return "" }

func (l *losses) Set(text string) error {
	parts := strings.Split(text, ":")
	if len(parts) != 3 || (parts[0] != string(sent) && parts[0] != string(received)) {
		return fmt.Errorf("not WAY:KIND:NUMBER: %q", text)
	}
	switch parts[1] {
	case "message", "credentials", "need", "answer", "candidate":
	default:
		return fmt.Errorf("no kind of message: %q", parts[1])
	}
	if number, err := strconv.Atoi(parts[2]); err != nil || number < 1 {
		return fmt.Errorf("not a number from 1: %q", parts[2])
	}
	if l.doomed == nil {
		l.doomed = map[string]bool{}
	}
	l.doomed[text] = true
	return nil
}

// count tells the number of a message in each of its kinds, and whether it gets lost by any.
func (l *losses) count(w way, message *wire.Message) (numbers map[string]int, lost bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.seen == nil {
		l.seen = map[string]int{}
	}
	numbers = map[string]int{}
	for _, kind := range kindsOf(message) {
		name := string(w) + ":" + kind
		l.seen[name]++
		numbers[kind] = l.seen[name]
		lost = lost || l.doomed[fmt.Sprintf("%s:%d", name, l.seen[name])]
	}
	return numbers, lost
}

func kindsOf(message *wire.Message) []string {
	kinds := []string{"message"}
	if credentials := message.Credentials; credentials != nil {
		kinds = append(kinds, "credentials")
		if credentials.NeedCreds {
			kinds = append(kinds, "need")
		} else {
			kinds = append(kinds, "answer")
		}
	}
	if message.Candidate != nil {
		kinds = append(kinds, "candidate")
	}
	return kinds
}
