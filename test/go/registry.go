package main

import (
	"context"
	"errors"
	"flag"
	"net"
	"net/http"
	"os"
	"sync"

	"connectrpc.com/connect"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"wice.test/gopeer/wire"
)

// registry tells peers of STUN and TURN servers: upstream's RelayRegistry.
type registry struct {
	wire.UnimplementedRelayRegistryServer

	out *lines

	mu      sync.Mutex
	relays  []*wire.RelayInfo
	refusal error
	held    chan struct{}
}

// runRegistry serves a registry in gRPC, gRPC-Web and Connect, by the reference implementation of the latter.
func runRegistry(l *lines, args []string) {
	flags := flag.NewFlagSet("registry", flag.ExitOnError)
	listen := flags.String("listen", "127.0.0.1:0", "host:port")
	_ = flags.Parse(args)

	r := &registry{out: l}
	mux := http.NewServeMux()
	mux.Handle(wire.RelayRegistry_GetRelays_FullMethodName, connect.NewUnaryHandler(
		wire.RelayRegistry_GetRelays_FullMethodName,
		func(ctx context.Context, request *connect.Request[wire.GetRelaysParams]) (*connect.Response[wire.GetRelaysResp], error) {
			l.emit("call", fields{"protocol": request.Peer().Protocol})
			answer, err := r.GetRelays(ctx, request.Msg)
			if err != nil {
				refused := status.Convert(err)
				return nil, connect.NewError(connect.Code(refused.Code()), errors.New(refused.Message()))
			}
			return connect.NewResponse(answer), nil
		},
	))
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	listener, err := net.Listen("tcp", *listen)
	if err != nil {
		l.log("fatal", "failed to listen", err)
		os.Exit(1)
	}
	server := &http.Server{Handler: mux, Protocols: protocols}
	go func() { _ = server.Serve(listener) }()
	r.commands()
	l.emit("ready", fields{"address": listener.Addr().String()})
}

func (r *registry) commands() {
	set := func(change func()) (any, error) {
		r.mu.Lock()
		defer r.mu.Unlock()
		change()
		return nil, nil
	}
	// relays are what GetRelays answers; expires is in seconds since 1970, and left out when it is 0.
	on(r.out, "relays", func(a struct {
		Relays []struct {
			URL, Username, Password string
			Expires                 int32
		} `json:"relays"`
	}) (any, error) {
		return set(func() {
			r.relays = nil
			for _, one := range a.Relays {
				info := &wire.RelayInfo{Url: one.URL, Username: one.Username, Password: one.Password}
				if one.Expires != 0 {
					info.Expires = &wire.Timestamp{Seconds: one.Expires}
				}
				r.relays = append(r.relays, info)
			}
		})
	})
	// refuseRelays fails GetRelays with a code, for example "PERMISSION_DENIED", until it is "OK".
	on(r.out, "refuseRelays", func(a struct {
		Code codes.Code `json:"code"`
	}) (any, error) {
		return set(func() { r.refusal = status.Error(a.Code, "refused by the test") }) // Nil for OK.
	})
	// holdRelays lets GetRelays wait until it ends.
	on(r.out, "holdRelays", func(a struct {
		On bool `json:"on"`
	}) (any, error) {
		return set(func() {
			if r.held != nil {
				close(r.held)
				r.held = nil
			}
			if a.On {
				r.held = make(chan struct{})
			}
		})
	})
}

func (r *registry) GetRelays(ctx context.Context, params *wire.GetRelaysParams) (*wire.GetRelaysResp, error) {
	asked, err := keyFromBytes(params.PublicKey)
	if err != nil {
		return nil, status.Errorf(codes.InvalidArgument, "invalid key: %s", err)
	}
	r.out.emit("getRelays", fields{"key": asked})
	r.mu.Lock()
	held, refusal, relays := r.held, r.refusal, r.relays
	r.mu.Unlock()
	if held != nil {
		select {
		case <-held:
		case <-ctx.Done():
			r.out.emit("getRelaysEnded", fields{"key": asked})
			return nil, status.FromContextError(ctx.Err()).Err()
		}
	}
	if refusal != nil {
		return nil, refusal
	}
	return &wire.GetRelaysResp{Relays: relays}, nil
}
