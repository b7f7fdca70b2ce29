/** Options that several commands have. */

export const keyOption = {
  value: "FILE",
  required: true,
  help: "the file that holds our private key; others must not be able\nto read it (- reads it from stdin)",
} as const;

/** Where stdin is taken. */
export const keyFileOption = {
  value: "FILE",
  required: true,
  help: "the file that holds our private key; others must not be able\nto read it",
} as const;

/** Who carries the messages: at least one. */
export const signalingOptions = {
  relay: {
    value: "URL",
    usual: true,
    help: "the signaling server: http://HOST:PORT, https://HOST,\ngrpc://HOST:PORT?insecure=true or grpcs://HOST:PORT",
  },
  backend: {
    value: "URL",
    multiple: true,
    help: "the same, or a Kubernetes cluster: k8s:incluster,\nk8s:///path/to/kubeconfig?namespace=NAME. May be repeated: all\nare used at once, and one that works is enough",
  },
} as const;

export const maxEnvelopeBytesOption = {
  value: "N",
  help: "the largest envelope to send and to accept (65536); not more\nthan the relay takes",
} as const;

export const caOption = {
  value: "FILE",
  help: "trust these certificates (PEM) in place of the system's",
} as const;
