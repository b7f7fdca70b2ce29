/** The one name of the DOM that Connect's types mention and Node's do not declare globally. */

declare type HeadersInit = NonNullable<ConstructorParameters<typeof Headers>[0]>;
