// gopeer is a peer and a signaling server of the cunicu protocol that shares no code with wice: the other side of the
// interoperability tests. It takes commands as JSON lines on stdin and answers and reports as JSON lines on stdout:
//
//	→ {"id":1,"do":"publish","key":"…","to":"…","message":{"credentials":{"ufrag":"…"}}}
//	← {"event":"reply","id":1,"ok":true,"result":{…}}
//	← {"event":"message","from":"…","message":{…}}
//
// It ends with its stdin, so that a killed test leaves nothing behind.
package main

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"

	"google.golang.org/grpc"
)

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: gopeer client|daemon|server|registry [flags]")
		os.Exit(2)
	}

	l := newLines(os.Stdin, os.Stdout)
	l.emit("start", fields{"mode": os.Args[1], "go": runtime.Version(), "grpc": grpc.Version, "modules": modules()})

	switch os.Args[1] {
	case "client":
		runClient(l, os.Args[2:])
	case "daemon":
		runDaemon(l, os.Args[2:])
	case "server":
		runServer(l, os.Args[2:])
	case "registry":
		runRegistry(l, os.Args[2:])
	default:
		fmt.Fprintf(os.Stderr, "gopeer: unknown subcommand %q\n", os.Args[1])
		os.Exit(2)
	}

	l.serve()
}

// modules names the versions that this binary was really built from.
func modules() map[string]string {
	versions := map[string]string{}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, dep := range info.Deps {
			versions[dep.Path] = dep.Version
		}
	}
	return versions
}
