// @connectrpc/connect's declarations name a type of the DOM's that Node's types do not declare globally. Never
// published: nothing that this package declares refers to it.

type HeadersInit = NonNullable<ConstructorParameters<typeof Headers>[0]>;
