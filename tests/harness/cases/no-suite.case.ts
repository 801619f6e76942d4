console.log("this file registers nothing");
