/** The processor models by name, for who lets a user choose one: model.ts says what each has. May import nothing. */

export const MODEL_NAMES = ["386", "486", "586", "686"] as const;

export type ModelName = (typeof MODEL_NAMES)[number];

export const DEFAULT_MODEL: ModelName = "686";
