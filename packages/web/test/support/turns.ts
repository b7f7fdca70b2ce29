/** Lets everything run that waits for nothing but its turn. */

export async function turns(count = 20): Promise<void> {
  for (let i = 0; i < count; i++) await undefined;
}
