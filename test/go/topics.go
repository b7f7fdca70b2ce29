package main

import (
	"sync"

	"wice.test/gopeer/wire"
)

// topics hold the subscribers of each key; they are never freed, as upstream's are not.
type topics struct {
	mu    sync.Mutex
	queue int
	byKey map[key]*topic
}

// topic gives every envelope to every subscriber, and waits for the slowest: while one queue is full, nobody can publish
// to the key, nor come or go. That is upstream's defect, kept here on purpose.
type topic struct {
	mu          sync.RWMutex
	subscribers map[*subscriber]struct{}
}

type subscriber struct {
	key   key
	queue chan *wire.Envelope
	end   chan error // Ends the stream with an error, or cleanly with nil.
}

func (t *topics) get(k key) *topic {
	t.mu.Lock()
	defer t.mu.Unlock()
	found, ok := t.byKey[k]
	if !ok {
		found = &topic{subscribers: map[*subscriber]struct{}{}}
		t.byKey[k] = found
	}
	return found
}

func (t *topic) publish(envelope *wire.Envelope) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	for s := range t.subscribers {
		s.queue <- envelope
	}
}

func (t *topic) add(s *subscriber) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.subscribers[s] = struct{}{}
}

func (t *topic) remove(s *subscriber) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.subscribers, s)
}
