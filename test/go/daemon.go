package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"flag"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/pion/ice/v4"

	"wice.test/gopeer/wire"
)

// daemon EMULATES how a cunicu daemon finds one peer: by ICE (pion) over signaling. It was written from a description
// of that behaviour, whose traps it has, too:
//
//   - While it is idle it sends credentials that ask for the peer's, again and again. It leaves that state by
//     credentials only; candidates that come before them are given to its agent and do not move it on.
//   - It answers those who ask for credentials only while it is idle. When that answer is lost, it never comes again.
//   - It restarts when the peer's credentials change. Those that make it restart are thrown away, and candidates that
//     come meanwhile go to the agent that is dead.
//   - So two sides that answer new credentials with new credentials never end.
//
// It tells every state, and every message with its number; any of them can be lost by flag, as on a bad network.
type daemon struct {
	out         *lines
	client      *client
	ours        key
	theirs      key
	controlling bool
	options     agentOptions
	losses      losses
	gap         time.Duration
	echo        bool
	start       time.Time

	mu         sync.Mutex
	state      state
	generation int // Of the agent.
	agent      *ice.Agent
	local      *wire.Credentials
	remote     *wire.Credentials
	conn       *ice.Conn
}

type state string

const (
	stateIdle         state = "idle"       // Waits for credentials.
	stateConnecting   state = "connecting" // Has them.
	stateConnected    state = "connected"
	stateDisconnected state = "disconnected"
	stateRestarting   state = "restarting" // The agent is dead, and there is no other yet.
)

func runDaemon(l *lines, args []string) {
	d := &daemon{out: l, state: stateRestarting, start: time.Now()}
	flags := flag.NewFlagSet("daemon", flag.ExitOnError)
	flags.TextVar(&d.ours, "key", key{}, "our private key")
	flags.TextVar(&d.theirs, "peer", key{}, "the peer's public key")
	flags.Var(&d.losses, "lose", "a message that gets lost, as sent:candidate:2 or received:need:1; may be repeated")
	flags.DurationVar(&d.gap, "restart-gap", 20*time.Millisecond, "how long a restart has no agent but the dead one")
	flags.BoolVar(&d.echo, "echo", false, "send back what comes")
	d.options.flags(flags)
	d.client = dial(l, flags, args)
	d.client.heard = d.heard

	public, err := d.ours.public()
	if err != nil {
		l.log("fatal", "no key", err)
		os.Exit(1)
	}
	d.controlling = bytes.Compare(public[:], d.theirs[:]) < 0

	on(l, "restart", func(struct{}) (any, error) { d.restart(d.current(), "command"); return nil, nil })
	on(l, "send", d.send)
	go func() {
		d.client.greet()
		if _, err := d.client.subscribe(subscribeArgs{Key: d.ours}); err != nil {
			l.log("fatal", "failed to subscribe", err)
			os.Exit(1)
		}
		l.emit("ready", fields{"publicKey": public, "controlling": d.controlling})
		d.open()
	}()
}

// open makes an agent with new credentials, and asks for the peer's until they come.
func (d *daemon) open() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.generation++
	generation := d.generation
	d.local, d.remote, d.conn = newCredentials(), nil, nil
	agent, err := newAgent(d.options, d.local, agentEvents{
		candidate: func(c *wire.Candidate) { d.publish(generation, &wire.Message{Candidate: c}) },
		state:     func(s ice.ConnectionState) { d.follow(generation, s) },
		pair:      func(local, remote fields) { d.out.emit("pair", fields{"local": local, "remote": remote}) },
	})
	if err != nil {
		d.out.log("fatal", "no agent", err)
		os.Exit(1)
	}
	d.agent = agent
	d.enter(stateIdle, "")
	go d.ask(generation)
}

// ask sends our credentials while we are idle, and asks for the peer's.
func (d *daemon) ask(generation int) {
	pause := backoff{}
	for {
		d.mu.Lock()
		idle := d.generation == generation && d.state == stateIdle
		d.mu.Unlock()
		if !idle {
			return
		}
		d.offer(generation, true)
		time.Sleep(pause.next())
	}
}

func (d *daemon) offer(generation int, need bool) {
	d.mu.Lock()
	credentials := &wire.Credentials{Ufrag: d.local.Ufrag, Pwd: d.local.Pwd, NeedCreds: need}
	d.mu.Unlock()
	d.publish(generation, &wire.Message{Credentials: credentials})
}

func (d *daemon) heard(sender key, message *wire.Message) {
	if sender != d.theirs {
		return
	}
	if d.passes(received, message) {
		if message.Credentials != nil {
			d.takeCredentials(message.Credentials)
		}
		if message.Candidate != nil {
			d.takeCandidate(message.Candidate)
		}
	}
}

func (d *daemon) takeCredentials(theirs *wire.Credentials) {
	d.mu.Lock()
	generation := d.generation
	switch {
	case d.state == stateIdle:
		d.remote = theirs
		agent := d.agent
		d.enter(stateConnecting, "")
		d.mu.Unlock()
		if theirs.NeedCreds {
			d.offer(generation, false)
		}
		if err := agent.GatherCandidates(); err != nil {
			d.out.log("error", "failed to gather candidates", err)
		}
		go d.connect(generation, agent, theirs)
	case d.state != stateRestarting && (d.remote.Ufrag != theirs.Ufrag || d.remote.Pwd != theirs.Pwd):
		d.mu.Unlock()
		d.restart(generation, "the peer's credentials have changed")
	default:
		d.mu.Unlock()
	}
}

func (d *daemon) takeCandidate(theirs *wire.Candidate) {
	d.mu.Lock()
	agent, generation, dead := d.agent, d.generation, d.state == stateRestarting
	d.mu.Unlock()
	d.out.emit("candidate", fields{"agent": generation, "dead": dead})
	candidate, err := fromWire(theirs)
	if err == nil {
		err = agent.AddRemoteCandidate(candidate)
	}
	if err != nil {
		d.out.log("warning", "failed to add a candidate", err)
	}
}

func (d *daemon) connect(generation int, agent *ice.Agent, theirs *wire.Credentials) {
	start := agent.Accept
	if d.controlling {
		start = agent.Dial
	}
	conn, err := start(context.Background(), theirs.Ufrag, theirs.Pwd)
	if err != nil {
		return // The agent was closed; if it has failed, it says so by its state.
	}
	d.mu.Lock()
	isCurrent := d.generation == generation && d.state != stateRestarting
	if isCurrent {
		d.conn = conn
		d.enter(stateConnected, "")
	}
	d.mu.Unlock()
	if isCurrent {
		d.read(conn)
	}
}

func (d *daemon) read(conn *ice.Conn) {
	buffer := make([]byte, 65_536)
	for {
		n, err := conn.Read(buffer)
		if err != nil {
			return
		}
		if d.echo {
			_, err = conn.Write(buffer[:n])
		}
		d.out.emit("data", fields{"bytes": n, "data": base64.StdEncoding.EncodeToString(buffer[:n]), "echoed": d.echo && err == nil})
	}
}

// follow takes over what ICE says of a path that there was.
func (d *daemon) follow(generation int, s ice.ConnectionState) {
	if s == ice.ConnectionStateFailed {
		d.restart(generation, "ICE has failed")
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.generation != generation {
		return
	}
	switch {
	case s == ice.ConnectionStateDisconnected && d.state == stateConnected:
		d.enter(stateDisconnected, "")
	case s == ice.ConnectionStateConnected && d.state == stateDisconnected:
		d.enter(stateConnected, "")
	}
}

// restart kills the agent of that generation, and makes another one a moment later.
func (d *daemon) restart(generation int, why string) {
	d.mu.Lock()
	if d.generation != generation || d.state == stateRestarting {
		d.mu.Unlock()
		return
	}
	agent := d.agent
	d.enter(stateRestarting, why)
	d.mu.Unlock()
	go func() {
		if err := agent.Close(); err != nil {
			d.out.log("warning", "failed to close the agent", err)
		}
		time.Sleep(d.gap)
		d.open()
	}()
}

func (d *daemon) publish(generation int, message *wire.Message) {
	d.mu.Lock()
	isCurrent := d.generation == generation
	d.mu.Unlock()
	if !isCurrent || !d.passes(sent, message) {
		return
	}
	if _, err := d.client.publish(publishArgs{Key: d.ours, To: d.theirs, Message: messageJSON{message}}); err != nil {
		d.out.log("error", "failed to publish", err)
	}
}

// passes tells of a message, and whether it gets through.
func (d *daemon) passes(w way, message *wire.Message) bool {
	numbers, lost := d.losses.count(w, message)
	d.out.emit("signal", fields{
		"way": w, "numbers": numbers, "lost": lost, "ufrag": message.GetCredentials().GetUfrag(),
		"atMs": time.Since(d.start).Milliseconds(),
	})
	return !lost
}

func (d *daemon) send(args struct {
	Data []byte `json:"data"`
}) (any, error) {
	d.mu.Lock()
	conn := d.conn
	d.mu.Unlock()
	if conn == nil {
		return nil, fmt.Errorf("not connected")
	}
	return conn.Write(args.Data)
}

func (d *daemon) current() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.generation
}

// enter expects the lock.
func (d *daemon) enter(s state, why string) {
	d.state = s
	d.out.emit("state", fields{"state": s, "agent": d.generation, "why": why})
}
