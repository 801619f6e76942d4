export async function runRecording(..._: unknown[]): Promise<void> {}
