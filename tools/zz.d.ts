export declare const q: number;
