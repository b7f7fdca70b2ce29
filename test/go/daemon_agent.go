package main

import (
	"crypto/rand"
	"flag"
	"fmt"
	"math/big"
	mrand "math/rand/v2"
	"strings"
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/stun/v3"

	"wice.test/gopeer/wire"
)

// agentOptions are what a daemon's configuration says about ICE.
type agentOptions struct {
	urls     urls
	loopback bool
}

func (o *agentOptions) flags(flags *flag.FlagSet) {
	flags.Var(&o.urls, "url", "a STUN or TURN server, as turn:host:port?transport=udp#user:password; may be repeated")
	flags.BoolVar(&o.loopback, "loopback", false, "use addresses of the loopback interface, too")
}

// urls of servers; credentials stand behind a "#", where such URLs have nothing else.
type urls []*stun.URI

func (u *urls) String() string { return fmt.Sprint(*u) }

func (u *urls) Set(text string) error {
	plain, credentials, _ := strings.Cut(text, "#")
	uri, err := stun.ParseURI(plain)
	if err != nil {
		return err
	}
	uri.Username, uri.Password, _ = strings.Cut(credentials, ":")
	*u = append(*u, uri)
	return nil
}

type agentEvents struct {
	candidate func(*wire.Candidate)
	state     func(ice.ConnectionState)
	pair      func(local, remote fields)
}

func newAgent(options agentOptions, local *wire.Credentials, events agentEvents) (*ice.Agent, error) {
	agent, err := ice.NewAgent(&ice.AgentConfig{
		Urls:             options.urls,
		LocalUfrag:       local.Ufrag,
		LocalPwd:         local.Pwd,
		NetworkTypes:     []ice.NetworkType{ice.NetworkTypeUDP4, ice.NetworkTypeUDP6},
		MulticastDNSMode: ice.MulticastDNSModeDisabled,
		IncludeLoopback:  options.loopback,
	})
	if err != nil {
		return nil, err
	}
	err = agent.OnCandidate(func(c ice.Candidate) {
		if c != nil { // Nil ends them, which nobody is told.
			events.candidate(toWire(c))
		}
	})
	if err == nil {
		err = agent.OnConnectionStateChange(events.state)
	}
	if err == nil {
		err = agent.OnSelectedCandidatePairChange(func(local, remote ice.Candidate) {
			events.pair(describe(local), describe(remote))
		})
	}
	return agent, err
}

func describe(c ice.Candidate) fields {
	return fields{"type": c.Type().String(), "address": c.Address(), "port": c.Port()}
}

var relayProtocols = []string{"", "udp", "tcp", "tls", "dtls"} // By their number on the wire.

// toWire relies on pion's numbers of types being those of the wire.
func toWire(c ice.Candidate) *wire.Candidate {
	candidate := &wire.Candidate{
		Type: int32(c.Type()), NetworkType: int32(c.NetworkType()), TcpType: int32(c.TCPType()),
		Foundation: c.Foundation(), Component: int32(c.Component()), Priority: int32(c.Priority()),
		Address: c.Address(), Port: int32(c.Port()),
	}
	if related := c.RelatedAddress(); related != nil {
		candidate.RelatedAddress = &wire.RelatedAddress{Address: related.Address, Port: int32(related.Port)}
	}
	if relay, ok := c.(*ice.CandidateRelay); ok {
		for number, name := range relayProtocols {
			if name == relay.RelayProtocol() {
				candidate.RelayProtocol = int32(number)
			}
		}
	}
	return candidate
}

func fromWire(c *wire.Candidate) (ice.Candidate, error) {
	network := ice.NetworkType(c.NetworkType)
	if !network.IsUDP() && !network.IsTCP() {
		return nil, fmt.Errorf("network type %d", c.NetworkType)
	}
	related := c.RelatedAddress
	if related == nil {
		related = &wire.RelatedAddress{}
	}
	short, component, priority := network.NetworkShort(), uint16(c.Component), uint32(c.Priority)
	switch ice.CandidateType(c.Type) {
	case ice.CandidateTypeHost:
		return ice.NewCandidateHost(&ice.CandidateHostConfig{
			Network: short, Address: c.Address, Port: int(c.Port), Component: component, Priority: priority,
			Foundation: c.Foundation, TCPType: ice.TCPType(c.TcpType),
		})
	case ice.CandidateTypeServerReflexive:
		return ice.NewCandidateServerReflexive(&ice.CandidateServerReflexiveConfig{
			Network: short, Address: c.Address, Port: int(c.Port), Component: component, Priority: priority,
			Foundation: c.Foundation, RelAddr: related.Address, RelPort: int(related.Port),
		})
	case ice.CandidateTypePeerReflexive:
		return ice.NewCandidatePeerReflexive(&ice.CandidatePeerReflexiveConfig{
			Network: short, Address: c.Address, Port: int(c.Port), Component: component, Priority: priority,
			Foundation: c.Foundation, RelAddr: related.Address, RelPort: int(related.Port),
		})
	case ice.CandidateTypeRelay:
		return ice.NewCandidateRelay(&ice.CandidateRelayConfig{
			Network: short, Address: c.Address, Port: int(c.Port), Component: component, Priority: priority,
			Foundation: c.Foundation, RelAddr: related.Address, RelPort: int(related.Port),
		})
	default:
		return nil, fmt.Errorf("candidate type %d", c.Type)
	}
}

const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

func newCredentials() *wire.Credentials {
	return &wire.Credentials{Ufrag: randomLetters(16), Pwd: randomLetters(32)}
}

func randomLetters(count int) string {
	text := make([]byte, count)
	for i := range text {
		n, err := rand.Int(rand.Reader, big.NewInt(int64(len(letters))))
		if err != nil {
			panic(err)
		}
		text[i] = letters[n.Int64()]
	}
	return string(text)
}

// backoff is 0.5 s first, then each time half as much again, up to a minute; each off by up to half.
type backoff struct{ interval time.Duration }

func (b *backoff) next() time.Duration {
	if b.interval == 0 {
		b.interval = 500 * time.Millisecond
	} else {
		b.interval = min(b.interval*3/2, time.Minute)
	}
	return min(time.Duration(float64(b.interval)*(0.5+mrand.Float64())), time.Minute)
}
