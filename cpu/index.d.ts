export declare const Z = 1;
