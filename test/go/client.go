package main

import (
	"context"
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/encoding/gzip"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"wice.test/gopeer/wire"
)

// client behaves towards a server as upstream's daemons do.
type client struct {
	out       *lines
	conn      *grpc.ClientConn
	signaling wire.SignalingClient
	relays    wire.RelayRegistryClient

	// heard gets every message that opens, in order. May be nil.
	heard func(sender key, message *wire.Message)

	mu     sync.Mutex
	groups map[key]bool // Whether the key belongs to a group, by subscribed public key.
}

func runClient(l *lines, args []string) {
	c := dial(l, flag.NewFlagSet("client", flag.ExitOnError), args)

	on(l, "generate", func(struct{}) (any, error) { return generatePair() })
	on(l, "subscribe", c.subscribe)
	on(l, "publish", c.publish)
	on(l, "burst", c.burst)
	on(l, "getRelays", c.getRelays)
	on(l, "raw", c.raw)

	go func() { l.emit("ready", fields{"buildInfo": toJSON(c.greet())}) }()
}

// dial adds the flags of a connection to others, parses them all, and ends the process when it cannot dial.
func dial(l *lines, flags *flag.FlagSet, args []string) *client {
	target := flags.String("target", "", "host:port of the server")
	secure := flags.Bool("tls", false, "use TLS and trust any certificate")
	pingTime := flags.Duration("keepalive-time", 0, "ping after so much silence; grpc-go allows 10s at least")
	pingTimeout := flags.Duration("keepalive-timeout", time.Second, "give the connection up so long after a ping")
	pingIdle := flags.Bool("keepalive-without-stream", false, "ping also while no call is open")
	window := flags.Int("window", 0, "initial flow control window of streams and connection, in bytes (64 KiB at least)")
	_ = flags.Parse(args)

	creds := insecure.NewCredentials()
	if *secure {
		creds = credentials.NewTLS(&tls.Config{InsecureSkipVerify: true}) //nolint:gosec // As skip_verify=true does.
	}
	options := []grpc.DialOption{grpc.WithTransportCredentials(creds), grpc.WithUserAgent("gopeer")}
	if *pingTime > 0 {
		options = append(options, grpc.WithKeepaliveParams(keepalive.ClientParameters{
			Time: *pingTime, Timeout: *pingTimeout, PermitWithoutStream: *pingIdle,
		}))
	}
	if *window > 0 {
		options = append(options, grpc.WithStaticStreamWindowSize(int32(*window)), grpc.WithStaticConnWindowSize(int32(*window)))
	}

	conn, err := grpc.NewClient(*target, options...)
	if err != nil {
		l.log("fatal", "failed to dial", err)
		os.Exit(1)
	}
	return &client{
		out: l, conn: conn, groups: map[key]bool{},
		signaling: wire.NewSignalingClient(conn), relays: wire.NewRelayRegistryClient(conn),
	}
}

// greet waits for a server that is not there yet. A daemon does not start without an answer to this.
func (c *client) greet() *wire.BuildInfo {
	info, err := c.signaling.GetBuildInfo(context.Background(), &wire.Empty{}, grpc.WaitForReady(true))
	if err != nil {
		c.out.log("fatal", "failed to connect to the signaling server", err)
		os.Exit(1)
	}
	return info
}

func generatePair() (any, error) {
	private, err := generateKey()
	if err != nil {
		return nil, err
	}
	public, err := private.public()
	return fields{"private": private, "public": public}, err
}

type subscribeArgs struct {
	Key key `json:"key"`
	// Group panics on messages without a peer, as daemons do with those for the key of their community.
	Group bool `json:"group"`
	// Frozen never reads beyond the first envelope.
	Frozen bool `json:"frozen"`
}

func (c *client) subscribe(args subscribeArgs) (any, error) {
	public, err := args.Key.public()
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	_, exists := c.groups[public]
	c.groups[public] = args.Group
	c.mu.Unlock()
	if exists {
		return fields{"created": false}, nil
	}
	return fields{"created": true}, c.subscribeAtServer(args, public)
}

// subscribeAtServer has upstream's semantics: it waits for the first envelope; when the stream ends with an error,
// it subscribes once more, and the new stream likewise. It stays deaf after a clean end, after Canceled, and when that
// once fails.
func (c *client) subscribeAtServer(args subscribeArgs, public key) error {
	stream, err := c.signaling.Subscribe(context.Background(), &wire.SubscribeParams{Key: public[:]}, grpc.WaitForReady(true))
	if err != nil {
		return err
	}
	first, err := stream.Recv()
	if err != nil {
		return err
	}
	c.out.emit("subscription", fields{
		"key": public, "state": "live", "firstBytes": proto.Size(first), "unknownBytes": unknownBytes(first.ProtoReflect()),
	})
	if args.Frozen {
		return nil
	}
	go func() {
		for {
			envelope, err := stream.Recv()
			if err == nil {
				c.receive(args.Key, public, envelope)
				continue
			}
			ended := fields{"key": public, "state": "ended", "code": status.Code(err).String(), "error": err.Error()}
			if errors.Is(err, io.EOF) {
				ended["code"] = codes.OK.String()
			}
			c.out.emit("subscription", ended)
			if errors.Is(err, io.EOF) || status.Code(err) == codes.Canceled {
				c.out.emit("subscription", fields{"key": public, "state": "deaf"})
				return
			}
			if err := c.subscribeAtServer(args, public); err != nil {
				c.out.log("error", "failed to subscribe again", err)
				c.out.emit("subscription", fields{"key": public, "state": "deaf"})
			}
			return
		}
	}()
	return nil
}

func (c *client) receive(private, subscribed key, envelope *wire.Envelope) {
	recipient, err := keyFromBytes(envelope.Recipient)
	if err != nil {
		c.out.log("error", "failed to decrypt message: recipient", err) // An empty envelope ends up here.
		return
	}
	c.mu.Lock()
	group, known := c.groups[recipient]
	c.mu.Unlock()
	if !known || recipient != subscribed {
		c.out.log("error", "failed to decrypt message: not subscribed", nil)
		return
	}
	sender, message, err := open(private, envelope)
	if err != nil {
		c.out.log("error", "failed to decrypt message", err)
		return
	}
	if group && message.Peer.Name == "" && len(message.Peer.PublicKey) == 0 {
		// Reading the fields of a missing peer has panicked by now. An empty one is legal.
		c.out.log("debug", "a message for the group without a peer description", nil)
	}
	c.out.emit("message", fields{
		"from": sender, "to": recipient, "message": toJSON(message),
		"unknownBytes":         unknownBytes(message.ProtoReflect()),
		"envelopeUnknownBytes": unknownBytes(envelope.ProtoReflect()),
	})
	if c.heard != nil {
		c.heard(sender, message)
	}
}

type publishArgs struct {
	Key       key         `json:"key"`
	To        key         `json:"to"`
	Message   messageJSON `json:"message"`
	TimeoutMs int         `json:"timeoutMs"`
}

func (c *client) publish(args publishArgs) (any, error) {
	envelope, err := seal(args.Key, args.To, args.Message.Message)
	if err != nil {
		return nil, err
	}
	ctx, cancel := withTimeout(args.TimeoutMs)
	defer cancel()
	start := time.Now()
	answer, err := c.signaling.Publish(ctx, envelope, grpc.WaitForReady(true))
	if err != nil {
		return nil, err
	}
	return fields{
		"tookMs": time.Since(start).Milliseconds(), "unknownBytes": unknownBytes(answer.ProtoReflect()), "envelopeBytes": proto.Size(envelope),
	}, nil
}

type burstArgs struct {
	Key     key `json:"key"`
	To      key `json:"to"`
	Count   int `json:"count"`
	Workers int `json:"workers"`
	Padding int `json:"paddingBytes"`
	// WithoutWaiting fails at once while there is no connection, as calls of grpc-go do by default.
	WithoutWaiting bool `json:"withoutWaiting"`
	TimeoutMs      int  `json:"timeoutMs"`
}

// burst publishes many messages, the n-th with foundation n.
func (c *client) burst(args burstArgs) (any, error) {
	var (
		group   sync.WaitGroup
		mu      sync.Mutex
		acked   int
		slowest time.Duration
		failed  = map[string]int{}
		numbers = make(chan int)
		padding = make([]byte, args.Padding)
		start   = time.Now()
	)
	ctx, cancel := withTimeout(args.TimeoutMs)
	defer cancel()
	for range max(args.Workers, 1) {
		group.Go(func() {
			for n := range numbers {
				message := &wire.Message{Candidate: &wire.Candidate{Foundation: fmt.Sprint(n)}}
				if len(padding) > 0 {
					message.Pske = &wire.PresharedKey{CipherText: padding}
				}
				envelope, err := seal(args.Key, args.To, message)
				before := time.Now()
				if err == nil {
					_, err = c.signaling.Publish(ctx, envelope, grpc.WaitForReady(!args.WithoutWaiting))
				}
				took := time.Since(before)
				mu.Lock()
				if err == nil {
					acked++
				} else {
					failed[status.Code(err).String()]++
				}
				slowest = max(slowest, took)
				mu.Unlock()
			}
		})
	}
	for n := range args.Count {
		numbers <- n
	}
	close(numbers)
	group.Wait()
	return fields{
		"acked": acked, "failed": failed, "tookMs": time.Since(start).Milliseconds(), "slowestMs": slowest.Milliseconds(),
	}, nil
}

type getRelaysArgs struct {
	Key []byte `json:"key"` // Public, of any length.
}

func (c *client) getRelays(args getRelaysArgs) (any, error) {
	ctx, cancel := withTimeout(0)
	defer cancel()
	answer, err := c.relays.GetRelays(ctx, &wire.GetRelaysParams{PublicKey: args.Key}, grpc.WaitForReady(true))
	if err != nil {
		return nil, err
	}
	return fields{"answer": toJSON(answer), "unknownBytes": unknownBytes(answer.ProtoReflect())}, nil
}

type rawArgs struct {
	Method    string            `json:"method"` // "/package.Service/Method"
	Body      []byte            `json:"body"`
	Stream    bool              `json:"stream"`
	Count     int               `json:"count"` // Of a stream: end it after so many envelopes; 0 reads on to its end.
	Gzip      bool              `json:"gzip"`
	Metadata  map[string]string `json:"metadata"`
	TimeoutMs int               `json:"timeoutMs"`
}

// raw calls any method with any bytes and tells what grpc-go made of the answer.
func (c *client) raw(args rawArgs) (any, error) {
	ctx, cancel := withTimeout(args.TimeoutMs)
	defer cancel()
	ctx = metadata.NewOutgoingContext(ctx, metadata.New(args.Metadata))
	var header, trailer metadata.MD
	options := []grpc.CallOption{
		grpc.ForceCodec(rawCodec{}), grpc.WaitForReady(true), grpc.Header(&header), grpc.Trailer(&trailer),
	}
	if args.Gzip {
		options = append(options, grpc.UseCompressor(gzip.Name))
	}
	var answers [][]byte
	err := func() error {
		if !args.Stream {
			var answer []byte
			err := c.conn.Invoke(ctx, args.Method, &args.Body, &answer, options...)
			answers = append(answers, answer)
			return err
		}
		stream, err := c.conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true}, args.Method, options...)
		if err != nil {
			return err
		}
		if err := stream.SendMsg(&args.Body); err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		if err := stream.CloseSend(); err != nil {
			return err
		}
		for args.Count == 0 || len(answers) < args.Count {
			var answer []byte
			if err := stream.RecvMsg(&answer); errors.Is(err, io.EOF) {
				return nil
			} else if err != nil {
				return err
			}
			answers = append(answers, answer)
		}
		return nil
	}()
	return fields{
		"code": status.Code(err).String(), "message": status.Convert(err).Message(),
		"answers": answers, "header": header, "trailer": trailer,
	}, nil
}

// rawCodec passes bytes through, under the name of the real one.
type rawCodec struct{}

func (rawCodec) Name() string { return "proto" }

func (rawCodec) Marshal(v any) ([]byte, error) { return *v.(*[]byte), nil }

func (rawCodec) Unmarshal(data []byte, v any) error {
	*v.(*[]byte) = append([]byte{}, data...)
	return nil
}

// withTimeout is generous by default: test machines are slow.
func withTimeout(ms int) (context.Context, context.CancelFunc) {
	if ms == 0 {
		ms = 30_000
	}
	return context.WithTimeout(context.Background(), time.Duration(ms)*time.Millisecond)
}
