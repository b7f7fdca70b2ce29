package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"sync"

	"google.golang.org/grpc/status"
)

type fields map[string]any

// lines speaks JSON lines with the test that drives this process.
type lines struct {
	in       io.Reader
	handlers map[string]func(args json.RawMessage) (any, error)

	mu  sync.Mutex
	out *json.Encoder
}

func newLines(in io.Reader, out io.Writer) *lines {
	enc := json.NewEncoder(out)
	enc.SetEscapeHTML(false)
	return &lines{in: in, out: enc, handlers: map[string]func(json.RawMessage) (any, error){}}
}

// emit reports something that happened.
func (l *lines) emit(event string, f fields) {
	line := fields{"event": event}
	for name, value := range f {
		line[name] = value
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.out.Encode(line); err != nil {
		os.Exit(0) // Nobody listens any more.
	}
}

// log reports what a daemon would have logged.
func (l *lines) log(level, text string, err error) {
	f := fields{"level": level, "text": text}
	if err != nil {
		f["code"] = status.Code(err).String()
		f["error"] = err.Error()
	}
	l.emit("log", f)
}

// on registers the handler of a command, which gets the whole command line decoded into its arguments.
func on[Args any](l *lines, name string, handler func(Args) (any, error)) {
	l.handlers[name] = func(raw json.RawMessage) (any, error) {
		var args Args
		if err := json.Unmarshal(raw, &args); err != nil {
			return nil, fmt.Errorf("arguments of %s: %w", name, err)
		}
		return handler(args)
	}
}

// serve runs commands, each on its own, since one that waits must not hold up the others. Returns when stdin ends.
func (l *lines) serve() {
	in := bufio.NewReaderSize(l.in, 1<<20)
	for {
		line, err := in.ReadBytes('\n')
		if len(line) > 1 {
			var command struct {
				ID int    `json:"id"`
				Do string `json:"do"`
			}
			if err := json.Unmarshal(line, &command); err != nil {
				l.emit("reply", fields{"ok": false, "error": "not a command: " + err.Error()})
				continue
			}
			go l.run(command.ID, command.Do, line)
		}
		if err != nil {
			return
		}
	}
}

func (l *lines) run(id int, name string, line json.RawMessage) {
	handler, ok := l.handlers[name]
	if !ok {
		l.emit("reply", fields{"id": id, "ok": false, "error": "unknown command " + name})
		return
	}
	result, err := handler(line)
	if err != nil {
		l.emit("reply", fields{
			"id": id, "ok": false, "code": status.Code(err).String(), "error": err.Error(), "result": result,
		})
		return
	}
	l.emit("reply", fields{"id": id, "ok": true, "result": result})
}
