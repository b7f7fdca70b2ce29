package main

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"

	"golang.org/x/crypto/curve25519"
	"golang.org/x/crypto/nacl/box"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"wice.test/gopeer/wire"
)

// key is a public or private X25519 key; in JSON it is base64, as WireGuard prints it.
type key [32]byte

var (
	errKeyLength = errors.New("a key is 32 bytes")
	errOpen      = errors.New("the box does not open")
)

func keyFromBytes(b []byte) (k key, err error) {
	if len(b) != len(k) {
		return k, errKeyLength
	}
	copy(k[:], b)
	return k, nil
}

func (k key) String() string { return base64.StdEncoding.EncodeToString(k[:]) }

func (k key) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

func (k *key) UnmarshalText(text []byte) error {
	b, err := base64.StdEncoding.DecodeString(string(text))
	if err != nil {
		return err
	}
	*k, err = keyFromBytes(b)
	return err
}

// public is the public key of a private one.
func (k key) public() (key, error) {
	b, err := curve25519.X25519(k[:], curve25519.Basepoint)
	if err != nil {
		return key{}, err
	}
	return keyFromBytes(b)
}

func generateKey() (key, error) {
	_, private, err := box.GenerateKey(rand.Reader)
	if err != nil {
		return key{}, err
	}
	return key(*private), nil
}

// seal puts a message into an envelope for the recipient.
func seal(ours, recipient key, message *wire.Message) (*wire.Envelope, error) {
	sender, err := ours.public()
	if err != nil {
		return nil, err
	}
	plain, err := proto.Marshal(message)
	if err != nil {
		return nil, err
	}
	var nonce [24]byte
	if _, err := rand.Read(nonce[:]); err != nil {
		return nil, err
	}
	body := box.Seal(nil, plain, &nonce, (*[32]byte)(&recipient), (*[32]byte)(&ours))
	return &wire.Envelope{Sender: sender[:], Recipient: recipient[:], Contents: &wire.Box{Body: body, Nonce: nonce[:]}}, nil
}

// open panics for an envelope without contents, as upstream's daemons do: who sends one has a defect.
func open(ours key, envelope *wire.Envelope) (sender key, message *wire.Message, err error) {
	if sender, err = keyFromBytes(envelope.Sender); err != nil {
		return sender, nil, fmt.Errorf("sender: %w", err)
	}
	body, nonceBytes := envelope.Contents.Body, envelope.Contents.Nonce
	if len(nonceBytes) != 24 {
		return sender, nil, errors.New("the nonce is not 24 bytes")
	}
	plain, ok := box.Open(nil, body, (*[24]byte)(nonceBytes), (*[32]byte)(&sender), (*[32]byte)(&ours))
	if !ok {
		return sender, nil, errOpen
	}
	message = &wire.Message{}
	if err := proto.Unmarshal(plain, message); err != nil {
		return sender, nil, fmt.Errorf("the box opened, but holds no message: %w", err)
	}
	return sender, message, nil
}

// unknownBytes counts what a message holds that its schema does not know, in all depths.
func unknownBytes(m protoreflect.Message) int {
	n := len(m.GetUnknown())
	m.Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		if field.Message() != nil && !field.IsList() && !field.IsMap() {
			n += unknownBytes(value.Message())
		}
		return true
	})
	return n
}

// messageJSON is a message in the arguments of a command.
type messageJSON struct{ *wire.Message }

func (m *messageJSON) UnmarshalJSON(text []byte) error {
	m.Message = &wire.Message{}
	return protojson.Unmarshal(text, m.Message)
}

func toJSON(m proto.Message) json.RawMessage {
	text, err := protojson.Marshal(m)
	if err != nil {
		return json.RawMessage(`null`)
	}
	return text
}
