fn main(){println!("vigie");}
