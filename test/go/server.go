package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"flag"
	"fmt"
	"math/big"
	"net"
	"os"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/stats"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"wice.test/gopeer/wire"
)

// server behaves as upstream's signaling server does, until a command asks for a fault.
type server struct {
	wire.UnimplementedSignalingServer

	out     *lines
	address string
	creds   grpc.ServerOption
	topics  topics
	gate    gate

	mu        sync.Mutex
	running   *grpc.Server
	live      map[*subscriber]struct{}
	stalled   bool
	noInfo    bool
	drop      int
	duplicate int
	delay     time.Duration
	held      map[key]chan struct{}
	refusals  map[string]*refusal
	registry  registry
}

type refusal struct {
	code  codes.Code
	count int
}

func runServer(l *lines, args []string) {
	flags := flag.NewFlagSet("server", flag.ExitOnError)
	listen := flags.String("listen", "127.0.0.1:0", "host:port")
	secure := flags.Bool("tls", false, "serve TLS with a certificate made for the occasion")
	queue := flags.Int("queue", 10_000, "envelopes that wait for one subscriber before publishers freeze")
	_ = flags.Parse(args)

	s := &server{
		out: l, address: *listen, topics: topics{queue: *queue, byKey: map[key]*topic{}},
		live: map[*subscriber]struct{}{}, held: map[key]chan struct{}{}, refusals: map[string]*refusal{},
		registry: registry{out: l},
	}
	ready := fields{}
	if *secure {
		certificate, text, err := selfSigned()
		if err != nil {
			l.log("fatal", "failed to make a certificate", err)
			os.Exit(1)
		}
		s.creds = grpc.Creds(credentials.NewTLS(&tls.Config{Certificates: []tls.Certificate{certificate}}))
		ready["certificate"] = text
	} else {
		s.creds = grpc.EmptyServerOption{}
	}
	if err := s.start(); err != nil {
		l.log("fatal", "failed to listen", err)
		os.Exit(1)
	}
	s.commands()
	ready["address"] = s.address
	l.emit("ready", ready)
}

// start listens on the same address as before, if there was one.
func (s *server) start() error {
	listener, err := net.Listen("tcp", s.address)
	if err != nil {
		return err
	}
	s.address = listener.Addr().String()
	running := grpc.NewServer(s.creds, grpc.MaxConcurrentStreams(10_000), grpc.StatsHandler(connections{s.out}))
	wire.RegisterSignalingServer(running, s)
	wire.RegisterRelayRegistryServer(running, &s.registry)
	s.mu.Lock()
	s.running = running
	s.mu.Unlock()
	go func() { _ = running.Serve(&gatedListener{listener, &s.gate}) }()
	return nil
}

func (s *server) commands() {
	type flagArgs struct {
		On bool `json:"on"`
	}
	type countArgs struct {
		Count int `json:"count"`
	}
	set := func(change func()) (any, error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		change()
		return nil, nil
	}
	// stall accepts subscriptions, but sends no first envelope until it ends.
	on(s.out, "stall", func(a flagArgs) (any, error) { return set(func() { s.stalled = a.On }) })
	// noBuildInfo is a server of before GetBuildInfo.
	on(s.out, "noBuildInfo", func(a flagArgs) (any, error) { return set(func() { s.noInfo = a.On }) })
	// drop answers the next publishes, and forgets them.
	on(s.out, "drop", func(a countArgs) (any, error) { return set(func() { s.drop = a.Count }) })
	// duplicate delivers the next publishes twice.
	on(s.out, "duplicate", func(a countArgs) (any, error) { return set(func() { s.duplicate = a.Count }) })
	// hang reads no bytes any more, from any connection, while it keeps them open.
	on(s.out, "hang", func(a flagArgs) (any, error) { s.gate.set(a.On); return nil, nil })
	// delay answers publishes late.
	on(s.out, "delay", func(a struct {
		Ms int `json:"ms"`
	}) (any, error) {
		return set(func() { s.delay = time.Duration(a.Ms) * time.Millisecond })
	})
	// refuse fails the next calls of a method, for example "Subscribe", with a code, for example "UNAVAILABLE".
	on(s.out, "refuse", func(a struct {
		Method string     `json:"method"`
		Code   codes.Code `json:"code"`
		Count  int        `json:"count"`
	}) (any, error) {
		return set(func() { s.refusals[a.Method] = &refusal{a.Code, a.Count} })
	})
	// hold is a subscriber that stopped reading: its queue fills up and freezes the key's publishers.
	on(s.out, "hold", func(a struct {
		Key key  `json:"key"`
		On  bool `json:"on"`
	}) (any, error) {
		return set(func() {
			if held, ok := s.held[a.Key]; ok && !a.On {
				close(held)
				delete(s.held, a.Key)
			} else if !ok && a.On {
				s.held[a.Key] = make(chan struct{})
			}
		})
	})
	// end ends the streams of one key or all; cleanly without a code.
	on(s.out, "end", s.end)
	// inject sends any envelope to the subscribers of a key, which need not be its recipient.
	on(s.out, "inject", s.inject)
	// stop cuts every connection and closes the port; start opens it again.
	on(s.out, "stop", func(struct{}) (any, error) { s.current().Stop(); return nil, nil })
	on(s.out, "start", func(struct{}) (any, error) { return nil, s.start() })
	// goaway drains: GOAWAY on every connection, open calls go on; a new server takes the port over.
	on(s.out, "goaway", func(struct{}) (any, error) {
		go s.current().GracefulStop()
		var err error
		for range 100 {
			if err = s.start(); err == nil {
				return nil, nil
			}
			time.Sleep(10 * time.Millisecond)
		}
		return nil, err
	})
	s.registry.commands()
}

func (s *server) current() *grpc.Server {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.running
}

func (s *server) end(args struct {
	Key  *key       `json:"key"`
	Code codes.Code `json:"code"`
}) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ended := 0
	for one := range s.live {
		if args.Key == nil || one.key == *args.Key {
			one.end <- status.Error(args.Code, "ended by the test") // Nil for OK.
			delete(s.live, one)
			ended++
		}
	}
	return fields{"ended": ended}, nil
}

func (s *server) inject(args struct {
	Key      key    `json:"key"`
	Envelope []byte `json:"envelope"`
}) (any, error) {
	envelope := &wire.Envelope{}
	if err := proto.Unmarshal(args.Envelope, envelope); err != nil {
		return nil, err
	}
	s.topics.get(args.Key).publish(envelope)
	return nil, nil
}

// refused takes one off the refusals of a method.
func (s *server) refused(method string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.refusals[method]; r != nil && r.count > 0 {
		r.count--
		return status.Error(r.code, "refused by the test")
	}
	return nil
}

func (s *server) GetBuildInfo(ctx context.Context, in *wire.Empty) (*wire.BuildInfo, error) {
	s.mu.Lock()
	noInfo := s.noInfo
	s.mu.Unlock()
	s.out.emit("getBuildInfo", fields{"unknownBytes": unknownBytes(in.ProtoReflect()), "metadata": incoming(ctx)})
	if noInfo {
		return s.UnimplementedSignalingServer.GetBuildInfo(ctx, in)
	}
	return &wire.BuildInfo{Version: "gopeer", Os: "linux", Date: &wire.Timestamp{Seconds: 1_700_000_000}}, nil
}

func (s *server) Subscribe(params *wire.SubscribeParams, stream grpc.ServerStreamingServer[wire.Envelope]) error {
	if err := s.refused("Subscribe"); err != nil {
		return err
	}
	k, err := keyFromBytes(params.Key)
	if err != nil {
		return fmt.Errorf("invalid key: %w", err)
	}
	// A topic that is frozen holds newcomers up, too.
	topic := s.topics.get(k)
	one := &subscriber{key: k, queue: make(chan *wire.Envelope, s.topics.queue), end: make(chan error, 1)}
	topic.add(one)
	defer topic.remove(one)

	s.mu.Lock()
	s.live[one] = struct{}{}
	s.mu.Unlock()
	s.out.emit("subscribe", fields{
		"key": k, "unknownBytes": unknownBytes(params.ProtoReflect()), "metadata": incoming(stream.Context()),
	})
	defer func() {
		s.mu.Lock()
		delete(s.live, one)
		s.mu.Unlock()
		s.out.emit("unsubscribe", fields{"key": k})
	}()

	confirmed := false
	for {
		stalled, held := s.faults(k)
		if !confirmed && !stalled {
			if err := stream.Send(&wire.Envelope{}); err != nil {
				return err
			}
			confirmed = true
		}
		queue := one.queue
		if !confirmed || held != nil {
			queue = nil
		}
		select {
		case envelope := <-queue:
			if err := stream.Send(envelope); err != nil {
				return err
			}
		case <-held:
		case <-time.After(50 * time.Millisecond): // To see whether a fault has come or gone.
		case err := <-one.end:
			return err
		case <-stream.Context().Done():
			return nil
		}
	}
}

func (s *server) faults(k key) (stalled bool, held chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stalled, s.held[k]
}

func (s *server) Publish(ctx context.Context, envelope *wire.Envelope) (*wire.Empty, error) {
	if err := s.refused("Publish"); err != nil {
		return nil, err
	}
	recipient, err := keyFromBytes(envelope.Recipient)
	if err != nil {
		return nil, fmt.Errorf("invalid recipient key: %w", err)
	}
	if _, err := keyFromBytes(envelope.Sender); err != nil {
		return nil, fmt.Errorf("invalid sender key: %w", err)
	}
	s.mu.Lock()
	times := 1
	if s.drop > 0 {
		s.drop--
		times = 0
	} else if s.duplicate > 0 {
		s.duplicate--
		times = 2
	}
	delay := s.delay
	s.mu.Unlock()
	s.out.emit("publish", fields{
		"from": key(envelope.Sender), "to": recipient, "bytes": proto.Size(envelope),
		"unknownBytes": unknownBytes(envelope.ProtoReflect()), "copies": times,
	})
	time.Sleep(delay)
	for range times {
		s.topics.get(recipient).publish(envelope)
	}
	return &wire.Empty{}, nil
}

func incoming(ctx context.Context) metadata.MD {
	md, _ := metadata.FromIncomingContext(ctx)
	return md
}

// connections reports connections that come and go.
type connections struct{ out *lines }

func (c connections) TagConn(ctx context.Context, info *stats.ConnTagInfo) context.Context {
	return context.WithValue(ctx, c, info.RemoteAddr.String())
}

func (c connections) HandleConn(ctx context.Context, event stats.ConnStats) {
	switch event.(type) {
	case *stats.ConnBegin:
		c.out.emit("connection", fields{"state": "open", "remote": ctx.Value(c)})
	case *stats.ConnEnd:
		c.out.emit("connection", fields{"state": "closed", "remote": ctx.Value(c)})
	}
}

func (connections) TagRPC(ctx context.Context, _ *stats.RPCTagInfo) context.Context { return ctx }

func (connections) HandleRPC(context.Context, stats.RPCStats) {}

// gate holds back what was read from every connection while it is closed.
type gate struct {
	mu     sync.Mutex
	closed chan struct{} // Nil while open.
}

func (g *gate) set(closed bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case closed && g.closed == nil:
		g.closed = make(chan struct{})
	case !closed && g.closed != nil:
		close(g.closed)
		g.closed = nil
	}
}

func (g *gate) wait() {
	g.mu.Lock()
	closed := g.closed
	g.mu.Unlock()
	if closed != nil {
		<-closed
	}
}

type gatedListener struct {
	net.Listener
	gate *gate
}

func (l *gatedListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &gatedConn{conn, l.gate}, nil
}

type gatedConn struct {
	net.Conn
	gate *gate
}

func (c *gatedConn) Read(b []byte) (int, error) {
	c.gate.wait()
	n, err := c.Conn.Read(b)
	c.gate.wait() // It may have been closed while this read waited.
	return n, err
}

func selfSigned() (certificate tls.Certificate, text string, err error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return certificate, "", err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
		IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		return certificate, "", err
	}
	text = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: private}, text, nil
}
